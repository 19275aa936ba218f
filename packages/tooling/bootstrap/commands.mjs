/**
 * What each command needs before its entry can run, and whether it can do without.
 *
 * `needs` must be there, or the command does not start. `wants` is set up too; where it cannot be had the command
 * starts all the same and reports what it left out (with CI=true a program that is wanted is needed, so that nothing is
 * skipped unseen; a build that fails is a failed check there and everywhere).
 * `uses` is taken where it already exists and never installed.
 *
 * @typedef {'bundles' | 'releaseTree' | 'python' | 'act' | 'cloudInit'} Part
 * @typedef {{ entry: string, summary: string, needs?: readonly Part[], wants?: readonly Part[], uses?: readonly Part[], makes?: readonly Part[] }} Command
 */

/** @type {Readonly<Record<string, Command>>} */
export const commands = {
  start: {
    entry: 'packages/tooling/src/start.ts',
    summary: 'run the example workflow on the offline cloud',
    needs: ['releaseTree', 'python'],
  },
  test: {
    entry: 'packages/tooling/src/test.ts',
    summary: 'every check and every test',
    wants: ['releaseTree', 'python', 'act', 'cloudInit'],
  },
  unit: { entry: 'packages/tooling/src/unit.ts', summary: 'the unit tests alone' },
  check: {
    entry: 'packages/tooling/src/check.ts',
    summary: 'types, lint, format, imports, generated files',
    uses: ['python'],
  },
  build: { entry: 'packages/tooling/src/build.ts', summary: 'bundle the actions into dist/', makes: ['bundles'] },
  generate: { entry: 'packages/tooling/src/generate.ts', summary: 'write action.yml and the README tables' },
  'release-tree': {
    entry: 'packages/tooling/src/release-tree.ts',
    summary: 'lay build/release-tree/, what a tag carries',
    needs: ['bundles'],
    makes: ['releaseTree'],
  },
  'bench-bundles': {
    entry: 'packages/tooling/src/bench-bundles.ts',
    summary: 'sizes and cold starts against their budgets',
    needs: ['releaseTree'],
  },
  'bench-lease': {
    entry: 'packages/tooling/src/bench-lease.ts',
    summary: 'calls, reaction times and overhead of a lease; a sweep over 10,000 instances',
    needs: ['releaseTree'],
  },
  'bench-harness': {
    entry: 'packages/tooling/src/bench-harness.ts',
    summary: 'what measuring costs: null steps, and real ones beside a bare loop',
    needs: ['python'],
  },
  'bench-paired': {
    entry: 'packages/tooling/src/bench-paired.ts',
    summary: 'base and head interleaved on this machine, with the interval of their difference',
    needs: ['python'],
  },
  'bench-live': {
    entry: 'packages/tooling/src/bench-live-verdict.ts',
    summary: 'the verdict on real runs of this machine: a clean one passes, one twice as slow is found',
    needs: ['python'],
  },
  'bench-verdict': {
    entry: 'packages/tooling/src/bench-verdict.ts',
    summary: 'false alarms and losses found by the verdict rule and by others',
  },
  'offline-cloud': {
    entry: 'packages/offline-cloud/src/main.ts',
    summary: 'serve the offline cloud',
    uses: ['python'],
  },
  drill: {
    entry: 'packages/tooling/src/drill.ts',
    summary: 'random deaths of random workflows on the offline cloud; counts what is left',
    needs: ['releaseTree'],
  },
  workflow: {
    entry: 'packages/tooling/src/workflow.ts',
    summary: 'run a workflow file on the offline cloud',
    needs: ['releaseTree', 'python'],
  },
}

/** The text shown for an unknown command. */
export function usage() {
  const width = Math.max(...Object.keys(commands).map(name => name.length))
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`)
  return ['usage: node packages/tooling/bootstrap.mjs <command> [arguments]', ...lines].join('\n')
}
