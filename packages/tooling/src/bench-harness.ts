import { join } from 'node:path'
import { pairedDifference } from '@gpu-actions/benchmark'
import { median } from 'simple-statistics'
import * as v from 'valibot'
import { runHostProgram } from './bench/host-program.ts'
import { differenceWords } from './bench/paired-words.ts'
import { root } from './repository.ts'

// What measuring costs: a null step through the whole harness against a real one, and pairs of real steps through the
// harness and in a bare loop of the same model. Arguments go to bench/harness_cost.py; without any, a small CPU run.
const toldSchema = v.object({
  null_step_ms: v.number(),
  pair_steps: v.number(),
  pairs: v.array(v.object({ base_ms: v.number(), head_ms: v.number() })),
})
const budget = 0.01

const small = ['--allow-cpu', '--image-size', '64', '--batch-size', '8', '--threads', '1']
const given = process.argv.slice(2)
let told: v.InferOutput<typeof toldSchema> | undefined
await runHostProgram(
  [join(root, 'packages/benchmark/bench/harness_cost.py'), ...(given.length > 0 ? given : small)],
  line => {
    const found = v.safeParse(toldSchema, JSON.parse(line))
    if (found.success) told = found.output
  },
)
if (told === undefined) throw new Error('harness_cost.py printed no figures')

const stepMs = median(told.pairs.map(({ base_ms }) => base_ms)) / told.pair_steps
const share = told.null_step_ms / stepMs
const difference = pairedDifference(
  told.pairs.map(({ base_ms, head_ms }) => ({ base: 1 / base_ms, head: 1 / head_ms })),
)
const within = share <= budget
console.log(`a null step through the harness  ${told.null_step_ms.toFixed(4)} ms`)
console.log(`a real step in a bare loop       ${stepMs.toFixed(2)} ms (median of ${told.pairs.length})`)
console.log(`${within ? '✓' : '✗'} share ${(share * 100).toFixed(4)} % (budget ${budget * 100} %)`)
console.log(`throughput through the harness against the bare loop: ${differenceWords(difference)}`)
process.exitCode = within ? 0 : 1
