import { describe, expect, test } from '@jest/globals'
import { conclusions, hasEnded, run, steps } from './harness.ts'

/** Cancels when a line of the log says so. */
function cancelAt(text: string) {
  const controller = new AbortController()
  return { signal: controller.signal, onLine: (line: string) => void (line.includes(text) && controller.abort()) }
}

const childOf = (trace: readonly string[]) => Number(trace.find(line => line.startsWith('child '))?.slice(6))

describe('cancelling', () => {
  test('sends SIGINT, then SIGTERM after 7.5 s, then kills the tree after 2.5 s more', async () => {
    const started = Date.now()
    const { trace, result } = await run(steps('- uses: org/fixtures/stubborn@v1\n'), {
      ...cancelAt('trace: child'),
      timeScale: 10,
    })
    const times = trace.flatMap(line => {
      const match = /^(SIG\w+) after (\d+)$/.exec(line)
      return match === null ? [] : [{ signal: match[1], after: Number(match[2]) }]
    })
    expect(times.map(each => each.signal)).toEqual(['SIGINT', 'SIGTERM'])
    const [interrupt, terminate] = times
    expect((terminate?.after ?? 0) - (interrupt?.after ?? 0)).toBeGreaterThanOrEqual(700)
    expect(Date.now() - started).toBeGreaterThanOrEqual(1000)
    await expect(hasEnded(childOf(trace))).resolves.toBeUndefined()
    expect(result.conclusion).toBe('cancelled')
  })

  test('always() and cancelled() steps and posts run afterwards, others do not', async () => {
    const { trace } = await run(
      steps(`
- uses: org/fixtures/traced@v1
  with: { do: hang }
- run: 'echo "trace: default"'
- if: failure()
  run: 'echo "trace: failure"'
- if: '!cancelled()'
  run: 'echo "trace: not cancelled"'
- if: cancelled()
  run: 'echo "trace: cancelled \${{ job.status }}"'
- if: always()
  run: 'echo "trace: always"'
`),
      cancelAt('trace: main'),
    )
    expect(trace.filter(line => !line.endsWith('"'))).toEqual([
      'pre a',
      'main a success',
      'cancelled cancelled',
      'always',
      'post a cancelled pre=a main=a',
    ])
  })

  test('a running always() step is left to finish', async () => {
    const { trace, result } = await run(
      steps(`
- if: always()
  run: |
    echo "trace: begin"; sleep 0.5; echo "trace: end"
- run: 'echo "trace: next"'
`),
      { ...cancelAt('    trace: begin'), timeScale: 20 },
    )
    expect(trace.filter(line => !line.includes('"'))).toEqual(['begin', 'end'])
    expect(result.jobs[0]?.steps.map(step => step.conclusion)).toEqual(['success', 'skipped'])
    expect(result.conclusion).toBe('cancelled')
  })

  test('a job whose if is always() goes on, and starts even after the cancel', async () => {
    const { trace, result } = await run(
      {
        'x.yml': `
on: push
jobs:
  a: { runs-on: ubuntu-latest, steps: [{ run: 'echo "trace: a"; sleep 60' }] }
  b: { if: always(), runs-on: ubuntu-latest, steps: [{ run: sleep 1 }, { run: 'echo "trace: b"' }] }
  c: { needs: a, if: always(), runs-on: ubuntu-latest, steps: [{ run: 'echo "trace: c \${{ needs.a.result }}"' }] }
  d: { needs: a, runs-on: ubuntu-latest, steps: [{ run: 'echo "trace: d"' }] }
`,
      },
      { ...cancelAt('    trace: a'), timeScale: 20 },
    )
    expect(trace.filter(line => !line.includes('"'))).toEqual(['a', 'c cancelled', 'b'])
    expect(conclusions(result)).toEqual({ a: 'cancelled', b: 'success', c: 'success', d: 'cancelled' })
  })

  test('what is still running after five minutes is killed, and nothing follows', async () => {
    const { trace, result } = await run(
      steps(`
- uses: org/fixtures/traced@v1
- run: 'echo "trace: go"; sleep 600'
- if: always()
  run: 'echo "trace: clean"; sleep 600'
- if: always()
  run: 'echo "trace: never"'
`),
      { ...cancelAt('    trace: go'), timeScale: 200 },
    )
    expect(trace.filter(line => !line.includes('"'))).toEqual(['pre a', 'main a success', 'go', 'clean'])
    expect(result.conclusion).toBe('cancelled')
  })

  test('a lost runner runs nothing more, not even posts, and has no outputs', async () => {
    const lost = new AbortController()
    const { trace, result } = await run(
      steps(`
- uses: org/fixtures/traced@v1
- uses: org/fixtures/stubborn@v1
- if: always()
  run: 'echo "trace: always"'
`),
      { lost: lost.signal, onLine: line => void (line.includes('trace: child') && lost.abort()) },
    )
    expect(trace.slice(0, 3)).toEqual(['pre a', 'main a success', expect.stringContaining('child')])
    expect(trace).toHaveLength(3)
    await expect(hasEnded(childOf(trace))).resolves.toBeUndefined()
    expect(conclusions(result)).toEqual({ a: 'failure' })
  })
})

test("the loss of one job's machine ends that job alone, and a clean-up job still runs", async () => {
  const ended: string[] = []
  const { trace, result } = await run(
    {
      'x.yml': `
on: push
jobs:
  a:
    runs-on: ubuntu-latest
    outputs: { said: '\${{ steps.s.outputs.said }}' }
    steps:
      - { id: s, run: 'echo said=yes >> "$GITHUB_OUTPUT"' }
      - { id: work, run: 'echo "trace: work"; sleep 60' }
      - { if: always(), run: 'echo "trace: never"' }
  b: { needs: a, if: always(), runs-on: ubuntu-latest, steps: [{ run: 'echo "trace: b \${{ needs.a.result }} [\${{ needs.a.outputs.said }}]"' }] }
`,
    },
    {
      onProcess: process => {
        void process.ended.then(() => ended.push(`${process.jobName}/${process.step}`))
        if (process.step === 'work') process.loseRunner()
      },
    },
  )
  expect(trace.filter(line => !line.includes('"')).filter(line => line !== 'work')).toEqual(['b failure []'])
  expect(conclusions(result)).toEqual({ a: 'failure', b: 'success' })
  expect(ended).toEqual(['a/s', 'a/work', 'b/__run'])
})

test('a process can be given variables of its own, in post others than in main', async () => {
  const { trace } = await run(
    steps('- { id: one, run: \'echo "trace: $WHO"\' }\n- { id: two, run: \'echo "trace: $WHO"\' }'),
    {
      env: { WHO: 'everybody' },
      envOf: ({ jobName, step, phase }) => (step === 'one' ? { WHO: `${jobName}/${step}/${phase}` } : {}),
    },
  )
  expect(trace.filter(line => !line.includes('"'))).toEqual(['a/one/main', 'everybody'])
})

describe('time-outs', () => {
  test('of a step end it as a cancel does and count as failure', async () => {
    const { result, trace } = await run(
      steps(`
- run: sleep 600
  timeout-minutes: 0.005
- if: failure()
  run: 'echo "trace: after"'
`),
      { timeScale: 20 },
    )
    expect(trace.filter(line => !line.includes('"'))).toEqual(['after'])
    expect(result.jobs[0]?.annotations[0]?.message).toBe('The step has timed out after 0.005 minutes.')
    expect(conclusions(result)).toEqual({ a: 'failure' })
  })

  test('of a job cancel it, and its always() steps run', async () => {
    const { trace, result } = await run(
      {
        'x.yml': `
on: push
jobs:
  a:
    runs-on: ubuntu-latest
    timeout-minutes: 0.01
    steps: [{ run: sleep 600 }, { if: always(), run: 'echo "trace: clean"' }]
`,
      },
      { timeScale: 20 },
    )
    expect(trace.filter(line => !line.includes('"'))).toEqual(['clean'])
    expect(conclusions(result)).toEqual({ a: 'cancelled' })
  })
})

test('what a finished job left running is killed', async () => {
  const { trace } = await run(steps(`- run: 'sleep 600 > /dev/null 2>&1 & echo "trace: child $!"'\n`))
  await expect(hasEnded(childOf(trace.filter(line => !line.includes('$'))))).resolves.toBeUndefined()
})
