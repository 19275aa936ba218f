import { spawnSync } from 'node:child_process'

/** How long a program took from spawn to exit, over several runs. */
export interface Times {
  readonly medianMs: number
  readonly minMs: number
  readonly maxMs: number
}

/** One thing to start: `node` with these arguments, which must end with this code and say this on stdout. */
export interface Start {
  readonly name: string
  readonly args: readonly string[]
  readonly exitCode: number
  readonly says: RegExp
}

/**
 * Starts everything in turn, `rounds` times, with a clean environment in an empty folder, as a runner would. In turn,
 * so that a noisy minute falls on all alike.
 * @param env what a runner would give; nothing of ours leaks in
 */
export function timeStarts(
  starts: readonly Start[],
  { node, cwd, env, rounds }: { node: string; cwd: string; env: Readonly<Record<string, string>>; rounds: number },
): ReadonlyMap<string, Times> {
  const samples = new Map<string, number[]>(starts.map(({ name }) => [name, []]))
  for (let round = 0; round <= rounds; round += 1) {
    for (const { name, args, exitCode, says } of starts) {
      const since = performance.now()
      const { status, stdout, stderr } = spawnSync(node, args, { cwd, env, encoding: 'utf8' })
      const ms = performance.now() - since
      if (status !== exitCode || !says.test(stdout))
        throw new Error(
          `${name} ended with ${String(status)}, not ${exitCode}, or said something else:\n${stdout}${stderr}`,
        )
      // The first round fills the file cache.
      if (round > 0) samples.get(name)?.push(ms)
    }
  }
  return new Map([...samples].map(([name, times]) => [name, summarise(times)]))
}

/** @param samples at least one, in milliseconds */
export function summarise(samples: readonly number[]): Times {
  const sorted = [...samples].sort((a, b) => a - b)
  const at = (index: number): number => sorted[index] ?? Number.NaN
  const half = (sorted.length - 1) / 2
  return { medianMs: (at(Math.floor(half)) + at(Math.ceil(half))) / 2, minMs: at(0), maxMs: at(sorted.length - 1) }
}
