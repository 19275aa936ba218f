import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { differenceOf, pairedVerdictOf, readLine, type EventOf } from '@gpu-actions/benchmark'
import { runHostProgram } from './bench/host-program.ts'
import { differenceWords } from './bench/paired-words.ts'
import { root } from './repository.ts'

// Base and head interleaved on this machine. Arguments go to the program `paired`: `--head "--compile"` compares eager
// with compiled, `--head "--inject-slowdown 0.05"` tries whether a loss of 5 % is found, and nothing is base against
// base. `--out FILE` keeps all that the program printed, raw pairs included.
const given = process.argv.slice(2)
const at = given.indexOf('--out')
const out = at < 0 ? undefined : given[at + 1]
const asked = at < 0 ? given : given.toSpliced(at, 2)
const small = ['--allow-cpu', '--on-cpu', 'batch-size=8,image-size=64', '--threads', '1']

const lines: string[] = []
let result: EventOf<'paired-result'> | undefined
await runHostProgram([join(root, 'packages/benchmark/programs'), 'paired', ...small, ...asked], line => {
  lines.push(line)
  const read = readLine(line)
  if (read.kind === 'text') return
  if (read.event.event === 'pair' && read.event.index % 25 === 0) {
    console.log(`pair ${read.event.index} of ${read.event.of}`)
  }
  if (read.event.event === 'paired-result') result = read.event
  if (read.event.event === 'error') console.error([read.event.message, ...read.event.faults].join('\n'))
})
if (out !== undefined) writeFileSync(out, `${lines.join('\n')}\n`)
if (result === undefined) throw new Error('paired printed no result')

const difference = differenceOf(result)
const { verdict, reasons } = pairedVerdictOf({ difference })
console.log(`head against base: ${differenceWords(difference)}`)
console.log(`${verdict}: ${reasons.join(' ')}`)
