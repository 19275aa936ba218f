import { spawn } from 'node:child_process'

/** How a program ended. */
export interface Ended {
  readonly exitCode: number
  /** stdout and stderr in the order they came. */
  readonly output: string
}

/** Where and with what a program runs. */
export interface Surroundings {
  readonly cwd: string
  readonly env?: NodeJS.ProcessEnv
  /** Shows the output while it comes. */
  readonly show: boolean
}

/** Runs a program to its end and keeps its output. One that cannot be started ended with 127. */
export function runProgram(program: string, args: readonly string[], { cwd, env, show }: Surroundings): Promise<Ended> {
  return new Promise(resolve => {
    const child = spawn(program, args, { cwd, env: env ?? process.env, stdio: ['ignore', 'pipe', 'pipe'] })
    const chunks: Buffer[] = []
    const take = (chunk: Buffer): void => {
      chunks.push(chunk)
      if (show) process.stdout.write(chunk)
    }
    const end = (exitCode: number): void => resolve({ exitCode, output: Buffer.concat(chunks).toString() })
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.on('error', error => {
      take(Buffer.from(`${program}: ${error.message}\n`))
      end(127)
    })
    child.on('close', code => end(code ?? 1))
  })
}
