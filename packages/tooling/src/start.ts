import { readArguments } from './demo/arguments.ts'
import { runCommand } from './demo/command.ts'
import { briefLines, readEvidence } from './demo/report.ts'
import {
  defaultExample,
  demoSecrets,
  demoVariables,
  exitCodeOf,
  livingLine,
  runSession,
  shown,
} from './demo/session.ts'

const help = `npm start [-- FILE] [--evidence DIR] [--input NAME=VALUE ...]

Runs an example workflow (default workflows-examples/gpu-benchmark.yml) with the real actions on the offline cloud: no
cloud account, nothing beyond this machine is called. The evidence is unpacked to DIR (default: evidence).`

/** Small enough for a laptop without a GPU: about a minute in all. The evidence shows these sizes. */
const demoInputs = {
  instance_type: 'g5.2xlarge',
  allow_cpu: 'true',
  image_size: '64',
  batch_size: '8',
  steps_per_epoch: '15',
}

async function main(): Promise<number> {
  const given = readArguments(process.argv.slice(2), ['help', 'evidence', 'input'])
  if (given.help) {
    console.log(help)
    return 0
  }
  const evidence = given.evidence ?? 'evidence'
  const end = await runSession({
    ...given,
    file: given.file ?? defaultExample,
    // Another workflow has other inputs.
    inputs: given.file === null ? { ...demoInputs, ...given.inputs } : given.inputs,
    secrets: demoSecrets,
    vars: demoVariables,
    evidence,
    log: line => console.log(line),
  })
  console.log(`\nconclusion  ${end.result.conclusion}`)
  for (const one of await readEvidence(evidence, end.evidence)) for (const line of briefLines(one)) console.log(line)
  console.log(end.evidence.length > 0 ? `evidence    ${shown(evidence)}` : 'evidence    none was uploaded')
  console.log(livingLine(end.view))
  return end.evidence.length > 0 ? exitCodeOf(end) : 1
}

await runCommand(main)
