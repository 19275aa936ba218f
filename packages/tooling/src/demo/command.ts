import { WorkflowFault } from '@gpu-actions/workflow-runner'

/** What whoever typed the command can put right; shown without a stack. */
export class CommandFault extends Error {
  override readonly name = 'CommandFault'
}

/** Runs a command: its exit code, 2 when the command itself or the workflow file is wrong. */
export async function runCommand(main: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main()
  } catch (error) {
    if (!(error instanceof CommandFault) && !(error instanceof WorkflowFault)) throw error
    console.error(error.message)
    process.exitCode = 2
  }
}
