import { describe, expect, test } from '@jest/globals'
import { conclusions, run } from './harness.ts'

const plain = (trace: readonly string[]) => trace.filter(line => !line.includes('"') && !line.includes('$'))

describe('jobs', () => {
  test('see the results of the whole chain before them', async () => {
    const job = (more: string, say: string) => `{ runs-on: ubuntu-latest, ${more} steps: [{ run: '${say}' }] }`
    const { result } = await run({
      'x.yml': `
on: push
jobs:
  bad: ${job('', 'exit 1')}
  good: ${job('', 'true')}
  skipped: ${job('needs: [bad, good],', 'true')}
  far: ${job("needs: skipped, if: 'failure()',", 'true')}
  behind: ${job('needs: far,', 'true')}
  always: ${job("needs: skipped, if: 'always()',", 'true')}
  fine: ${job('needs: good,', 'true')}
`,
    })
    expect(conclusions(result)).toEqual({
      bad: 'failure',
      good: 'success',
      skipped: 'skipped',
      far: 'success',
      behind: 'skipped',
      always: 'success',
      fine: 'success',
    })
    expect(result.conclusion).toBe('failure')
  })

  test('that do not need each other run at the same time', async () => {
    // Each waits for a file that only the other one makes.
    const meet = (own: string, other: string) =>
      `{ runs-on: ubuntu-latest, timeout-minutes: 0.5, steps: [{ run: 'touch "$SHARED/${own}"; until [ -e "$SHARED/${other}" ]; do sleep 0.05; done' }] }`
    const { result, directory } = await run({ 'x.yml': 'on: push\njobs: { a: { runs-on: u, steps: [{ run: pwd }] } }' })
    expect(result.conclusion).toBe('success')
    const both = await run(
      { 'x.yml': `on: push\njobs:\n  a: ${meet('a', 'b')}\n  b: ${meet('b', 'a')}\n` },
      {
        env: { SHARED: directory },
      },
    )
    expect(both.result.conclusion).toBe('success')
  })
})

describe('a matrix', () => {
  const matrix = (strategy: string, script: string) => ({
    'x.yml': `
on: push
jobs:
  a:
    strategy: ${strategy}
    runs-on: ubuntu-latest
    steps: [{ run: '${script}' }]
`,
  })

  test('runs every combination, at most max-parallel at a time', async () => {
    const { trace, result } = await run(
      matrix(
        "{ max-parallel: 1, matrix: { type: '${{ fromJSON(''[\"x\",\"y\"]'') }}', n: [1] } }",
        'echo "trace: begin ${{ matrix.type }}"; sleep 0.1; echo "trace: end ${{ strategy.job-index }}"',
      ),
    )
    expect(plain(trace)).toEqual(['begin x', 'end 0', 'begin y', 'end 1'])
    expect(Object.keys(conclusions(result))).toEqual(['a (x, 1)', 'a (y, 1)'])
  })

  test('fail-fast cancels what runs and what waits', async () => {
    const { result } = await run(
      matrix('{ max-parallel: 2, matrix: { n: [1, 2, 3] } }', 'test ${{ matrix.n }} = 2 && exit 1; sleep 600'),
      { timeScale: 10 },
    )
    expect(conclusions(result)).toEqual({ 'a (1)': 'cancelled', 'a (2)': 'failure', 'a (3)': 'cancelled' })
  })

  test('without fail-fast every combination comes to its end', async () => {
    const { result } = await run(
      matrix('{ fail-fast: false, max-parallel: 1, matrix: { n: [1, 2] } }', 'test ${{ matrix.n }} = 2'),
    )
    expect(conclusions(result)).toEqual({ 'a (1)': 'failure', 'a (2)': 'success' })
  })
})

const callee = `
name: Called
on:
  workflow_call:
    inputs:
      text: { type: string, required: true }
      flag: { type: boolean, default: true }
    secrets: { KEY: { required: true } }
    outputs: { answer: { value: '\${{ jobs.inner.outputs.answer }}' } }
concurrency: { group: called, queue: max }
jobs:
  inner:
    runs-on: ubuntu-latest
    permissions: { id-token: write }
    outputs: { answer: '\${{ steps.s.outputs.answer }}' }
    steps:
      - id: s
        env: { KEY: '\${{ secrets.KEY }}' }
        run: |
          echo "trace: \${{ inputs.text }} \${{ inputs.flag }} \${{ secrets.OTHER }} $(echo "$KEY" | rev) token:\${ACTIONS_ID_TOKEN_REQUEST_TOKEN:+yes}"
          echo "answer=\${{ inputs.text }}!" >> "$GITHUB_OUTPUT"
`

const caller = (more: string, permissions = '{ id-token: write }') => `
on: workflow_dispatch
permissions: ${permissions}
jobs:
  call:
    uses: ./.github/workflows/called.yml
    ${more}
  after: { needs: call, runs-on: ubuntu-latest, steps: [{ run: 'echo "trace: got \${{ needs.call.outputs.answer }}"' }] }
`

describe('a reusable workflow', () => {
  const secrets = { KEY: 'cba-key', OTHER: 'not-passed' }
  const env = { ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'oidc-token', ACTIONS_ID_TOKEN_REQUEST_URL: 'http://127.0.0.1:1' }

  test('gets typed inputs and secrets by name, and gives outputs back', async () => {
    const { trace, result } = await run(
      { 'x.yml': caller("with: { text: hi }\n    secrets: { KEY: '${{ secrets.KEY }}' }"), 'called.yml': callee },
      { secrets, env },
    )
    expect(plain(trace)).toEqual(['hi true  yek-abc token:yes', 'got hi!'])
    expect(result.jobs.map(job => [job.id, job.name, job.conclusion])).toEqual([
      ['call/inner', 'call / inner', 'success'],
      ['call', 'call', 'success'],
      ['after', 'after', 'success'],
    ])
  })

  test('inherits all secrets when told so', async () => {
    const { trace } = await run(
      { 'x.yml': caller('with: { text: hi, flag: false }\n    secrets: inherit'), 'called.yml': callee },
      { secrets, env },
    )
    expect(plain(trace)[0]).toBe('hi false *** yek-abc token:yes')
  })

  test('is refused with every fault at once when it is called wrongly', async () => {
    const { result } = await run(
      { 'x.yml': caller('with: { flag: "x", nope: 1 }', '{}'), 'called.yml': callee },
      { secrets, env },
    )
    const message = result.jobs.find(job => job.id === 'call')?.annotations[0]?.message ?? ''
    for (const fault of [
      "invalid input, 'nope' is not defined",
      "input 'text' is required",
      "input 'flag' is a boolean, but a string was passed",
      "secret 'KEY' is required",
      "'inner' asks for 'id-token: write', but is only allowed 'id-token: none'",
    ]) {
      expect(message).toContain(fault)
    }
    expect(result.conclusion).toBe('failure')
  })

  test('that asks for the group its caller holds is told of the deadlock', async () => {
    const { result } = await run(
      {
        'x.yml': `concurrency: called\n${caller('with: { text: hi }\n    secrets: inherit')}`,
        'called.yml': callee,
      },
      { secrets, env },
    )
    expect(result.jobs.find(job => job.id === 'call')?.annotations[0]?.message).toContain('deadlock')
  })

  test('that does not exist is refused before anything runs', async () => {
    await expect(run({ 'x.yml': caller('secrets: inherit') })).rejects.toThrow('called.yml does not exist')
  })
})

describe('what starts a workflow', () => {
  const dispatch = `
on:
  schedule: [{ cron: '0 2 * * 1' }]
  workflow_dispatch: { inputs: { n: { type: number, default: 5 } } }
jobs:
  a: { runs-on: ubuntu-latest, steps: [{ run: 'echo "trace: \${{ github.event_name }} [\${{ inputs.n }}] \${{ github.event.schedule }}"' }] }
`
  test('a dispatch has inputs, a schedule has none', async () => {
    expect(plain((await run({ 'x.yml': dispatch }, { inputs: { n: '7' } })).trace)).toEqual([
      'workflow_dispatch [7]'.padEnd(22),
    ])
    expect(plain((await run({ 'x.yml': dispatch }, { event: 'schedule' })).trace)).toEqual(['schedule [] 0 2 * * 1'])
  })

  test('an event that the file does not name is refused', async () => {
    await expect(run({ 'x.yml': dispatch }, { event: 'push' })).rejects.toThrow(
      "is not started by 'push' (its events: schedule, workflow_dispatch)",
    )
  })

  test('an action that does not run on Node is refused by name', async () => {
    const { result } = await run({
      'x.yml': 'on: push\njobs: { a: { runs-on: u, steps: [{ uses: org/fixtures/composite@v1 }] } }',
    })
    expect(result.jobs[0]?.annotations[0]?.message).toContain("an action that runs with 'composite' is not supported")
  })

  test('a remote action that is not mapped fails the job before its first step', async () => {
    const { result } = await run({
      'x.yml': 'on: push\njobs: { a: { runs-on: u, steps: [{ run: "true" }, { uses: other/repo@v2 }] } }',
    })
    expect(result.jobs[0]?.steps).toEqual([])
    expect(result.jobs[0]?.annotations[0]?.message).toContain('uses other/repo@v2, which is not mapped to a folder')
  })
})
