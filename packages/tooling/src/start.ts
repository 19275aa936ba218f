import { readArguments } from './demo/arguments.ts'
import { runCommand } from './demo/command.ts'
import { defaultExample } from './demo/demos.ts'
import { briefLines, readEvidence } from './demo/report.ts'
import { exitCodeOf, livingLine, runSession, shown } from './demo/session.ts'

const help = `npm start [-- FILE] [--evidence DIR] [--input NAME=VALUE ...]

Runs an example workflow (default workflows-examples/gpu-benchmark.yml) with the real actions on the offline cloud: no
cloud account, nothing beyond this machine is called. The examples get inputs that suit a machine without a GPU. The
evidence is unpacked to DIR (default: evidence).`

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
