import { readArguments } from './demo/arguments.ts'
import { CommandFault, runCommand } from './demo/command.ts'
import { exitCodeOf, livingLine, runSession, shown } from './demo/session.ts'

const help = `npm run workflow -- FILE [options]

Runs a workflow file on this machine with the actions of this repository, against the cloud in AWS_ENDPOINT_URL
(which must be on this machine) or an offline cloud started for it.

  --input NAME=VALUE      an input of workflow_dispatch; may be repeated. The examples' default is a small run on the CPU
  --secret NAME=VALUE     a secret; may be repeated. Those of the offline cloud's account are there by default
  --var NAME=VALUE        a configuration variable; may be repeated
  --event NAME            the event (default: workflow_dispatch, else the file's first)
  --cancel-after DURATION cancels the run after 20s, 1m30s, ...
  --time-scale X          divides the runner's own waits while it cancels (7.5 s, 2.5 s, five minutes)
  --scenario FILE         faults and delays of the offline cloud (YAML or JSON)
  --evidence DIR          unpacks the uploaded artifacts there

Exit code: 0 success and nothing left alive, 1 otherwise, 2 when the command or the workflow file is wrong.`

async function main(): Promise<number> {
  const given = readArguments(process.argv.slice(2), [
    'help',
    'input',
    'secret',
    'var',
    'event',
    'cancel-after',
    'time-scale',
    'scenario',
    'evidence',
  ])
  if (given.help) {
    console.log(help)
    return 0
  }
  if (given.file === null) throw new CommandFault('a workflow file is missing; --help shows how to call this')
  const end = await runSession({
    ...given,
    file: given.file,
    log: line => console.log(line),
  })
  console.log(`\nconclusion  ${end.result.conclusion}`)
  for (const [name, value] of Object.entries(end.result.outputs)) console.log(`output      ${name}: ${value}`)
  if (given.evidence !== null && end.evidence.length > 0) console.log(`evidence    ${shown(given.evidence)}`)
  console.log(livingLine(end.view))
  return exitCodeOf(end)
}

await runCommand(main)
