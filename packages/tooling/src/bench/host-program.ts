import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** Runs a host program with the Python that was set up, and hands over what it prints, line by line. */
export async function runHostProgram(args: readonly string[], hear: (line: string) => void): Promise<void> {
  const python = process.env['GPU_ACTIONS_PYTHON']
  if (python === undefined || python === '') throw new Error('GPU_ACTIONS_PYTHON names no Python; start this with npm')
  // One thread: with more, blocks of a small machine differ by up to 15 %, and two processes hinder each other.
  const env = { OMP_NUM_THREADS: '1', GOMP_SPINCOUNT: '0', ...process.env }
  const child = spawn(python, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  for await (const line of createInterface({ input: child.stdout })) hear(line)
  const exitCode = await ended
  if (exitCode !== 0) throw new Error(`${args.slice(0, 2).join(' ')} ended with exit code ${exitCode}`)
}
