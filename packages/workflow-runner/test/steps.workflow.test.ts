import { describe, expect, test } from '@jest/globals'
import { run, steps } from './harness.ts'

describe('the order of an action', () => {
  test('all pre, then the steps, then every post in reverse, each with state and fresh inputs', async () => {
    const { trace, result } = await run(
      steps(`
- uses: org/fixtures/traced@v1
  with: { name: a }
- run: 'echo "trace: script"'
- uses: org/fixtures/traced@v1
  with: { name: b, do: fail }
`),
    )
    expect(trace.filter(line => !line.includes('"'))).toEqual([
      'pre a',
      'pre b',
      'main a success',
      'script',
      'main b success',
      'post b failure pre=b main=b',
      'post a failure pre=a main=a',
    ])
    expect(result.conclusion).toBe('failure')
  })

  test('post runs with the state and outputs that main wrote before it was killed', async () => {
    const { trace, result } = await run(
      steps(`
- uses: org/fixtures/traced@v1
  id: dead
  with: { do: die }
- if: always()
  run: 'echo "trace: then \${{ steps.dead.outcome }} \${{ steps.dead.outputs.value }}"'
`),
    )
    expect(trace).toContain('then failure aa')
    expect(trace.at(-1)).toBe('post a failure pre=a main=a')
    expect(result.jobs[0]?.steps.map(step => `${step.phase} ${step.conclusion}`)).toEqual([
      'pre success',
      'main failure',
      'main success',
      'post success',
    ])
  })

  test('a skipped step registers no post', async () => {
    const { trace } = await run(
      steps(`
- run: exit 1
- uses: org/fixtures/stubborn@v1
- uses: ./nowhere
`),
    )
    expect(trace).toEqual([])
  })
})

describe('conditions of steps', () => {
  test('follow the state of the job', async () => {
    const { trace } = await run(
      steps(`
- run: exit 1
  continue-on-error: true
- run: 'echo "trace: 1"'
- run: exit 1
- run: 'echo "trace: 2"'
- if: failure()
  run: 'echo "trace: 3"'
- if: always()
  run: 'echo "trace: 4"'
- if: cancelled()
  run: 'echo "trace: 5"'
- if: '!cancelled()'
  run: 'echo "trace: 6"'
`),
    )
    expect(trace.filter(line => !line.endsWith('"'))).toEqual(['1', '3', '4', '6'])
  })

  test('a condition that cannot be evaluated fails its step and lets always() run', async () => {
    const { trace, result } = await run(
      steps(`
- if: fromJSON('no json')
  run: 'echo "trace: never"'
- if: always()
  run: 'echo "trace: after"'
`),
    )
    expect(trace.filter(line => !line.endsWith('"'))).toEqual(['after'])
    expect(result.conclusion).toBe('failure')
  })
})

describe('files of a step', () => {
  test('set variables, paths and outputs for later steps', async () => {
    const { trace } = await run(
      steps(`
- id: set
  run: |
    mkdir -p "$RUNNER_TEMP/bin"
    printf '#!/bin/sh\\necho "trace: tool"\\n' > "$RUNNER_TEMP/bin/my-tool"
    chmod +x "$RUNNER_TEMP/bin/my-tool"
    echo "$RUNNER_TEMP/bin" >> "$GITHUB_PATH"
    echo "GREETING=hello" >> "$GITHUB_ENV"
    echo "v=1" >> "$GITHUB_OUTPUT"
- run: my-tool
- run: 'echo "trace: $GREETING \${{ env.GREETING }} \${{ steps.set.outputs.v }}"'
- env: { GREETING: step }
  run: 'echo "trace: $GREETING"'
`),
    )
    expect(trace.filter(line => !line.includes('"') && !line.includes('\\'))).toEqual(['tool', 'hello hello 1', 'step'])
  })

  test('NODE_OPTIONS cannot be set, and a broken file fails its step', async () => {
    const { result } = await run(
      steps(`
- run: echo "NODE_OPTIONS=--x" >> "$GITHUB_ENV"
- run: 'test -z "$NODE_OPTIONS"'
- run: printf 'a<<EOF\\nvalue' >> "$GITHUB_OUTPUT"
`),
    )
    const [job] = result.jobs
    expect(job?.annotations.map(each => each.message)).toEqual([
      "Can't store NODE_OPTIONS output parameter using '$GITHUB_ENV' command.",
      "Unable to process file command 'output' successfully.",
      "Invalid value. Matching delimiter not found 'EOF'",
    ])
    expect(job?.steps.map(step => step.conclusion)).toEqual(['success', 'success', 'failure'])
  })

  test('a summary above 1 MiB is refused and its step stays green', async () => {
    const { result } = await run(
      steps(`
- run: echo '# one' >> "$GITHUB_STEP_SUMMARY"
- run: head -c 1048577 /dev/zero | tr '\\0' x >> "$GITHUB_STEP_SUMMARY"
`),
    )
    expect(result.jobs[0]?.summary).toBe('# one\n')
    expect(result.jobs[0]?.annotations[0]?.message).toContain('supports content up to a size of 1024k, got 1025k')
    expect(result.conclusion).toBe('success')
  })
})

describe('what steps may see', () => {
  test('nothing of the caller but the search path, and tokens only where GitHub gives them', async () => {
    process.env['CANARY_OF_THE_CALLER'] = 'leaked'
    const env = {
      AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
      ACTIONS_RUNTIME_TOKEN: 'runtime',
      ACTIONS_RESULTS_URL: 'http://127.0.0.1:1',
      ACTIONS_ID_TOKEN_REQUEST_URL: 'http://127.0.0.1:1',
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'oidc',
    }
    const script = `- run: |
    env | sed 's/=.*//' | grep -E 'ACTIONS_|CANARY|AWS' | sort | sed 's/^/trace: /'`
    const without = await run(steps(script), { env })
    const granted = await run(steps(script, 'permissions: { id-token: write }'), { env })
    delete process.env['CANARY_OF_THE_CALLER']
    const names = (trace: readonly string[]) => trace.filter(line => /^\w+$/.test(line))
    expect(names(without.trace)).toEqual(['AWS_ENDPOINT_URL'])
    expect(names(granted.trace)).toEqual([
      'ACTIONS_ID_TOKEN_REQUEST_TOKEN',
      'ACTIONS_ID_TOKEN_REQUEST_URL',
      'AWS_ENDPOINT_URL',
    ])
  })

  test('shells are called as GitHub calls them', async () => {
    const { result } = await run(
      steps(`
- run: 'false | true'
- run: 'false | true'
  shell: bash
  continue-on-error: true
- run: 'import sys; sys.exit(0)'
  shell: python
- run: 'exit 4'
  shell: sh -e {0}
  continue-on-error: true
`),
    )
    expect(result.jobs[0]?.steps.map(step => step.outcome)).toEqual(['success', 'failure', 'success', 'failure'])
  })
})

describe('untrusted lines', () => {
  test('between stop-commands and the token nothing is obeyed', async () => {
    const { result, log } = await run(
      steps(`
- id: s
  run: |
    echo "::stop-commands::t0ken"
    echo "::add-mask::visible"
    echo "::error::not mine"
    echo "::set-output name=x::1"
    echo "::t0ken::"
    echo "visible \${{ steps.s.outputs.x }}"
    echo "::notice title=T::mine"
`),
    )
    expect(result.jobs[0]?.annotations).toEqual([{ level: 'notice', title: 'T', message: 'mine' }])
    expect(result.jobs[0]?.steps[0]?.outputs).toEqual({})
    expect(log.filter(line => line.trim() === 'visible')).toHaveLength(1)
  })
})

describe('masks', () => {
  test('hold in every line, annotation, summary and name, also where a value comes in pieces', async () => {
    const canary = 'canary-5d41402a'
    const { result, log } = await run(
      steps(`
- name: with \${{ secrets.KEY }}
  run: |
    printf 'canary-'; sleep 0.1; printf '5d41402a\\n'
    echo "::warning::it is canary-5d41402a"
    echo "canary-5d41402a" >> "$GITHUB_STEP_SUMMARY"
    echo "::group::canary-5d41402a"
    echo "::add-mask::line one%0Aline two"
    echo "line two and line one" >&2
`),
      { secrets: { KEY: canary } },
    )
    expect(JSON.stringify([result, log])).not.toContain(canary)
    expect(log.join('\n')).toContain('*** and ***')
    expect(result.jobs[0]?.summary).toBe('***\n')
  })

  test('a job output that holds anything masked is dropped with a warning, a step output is not', async () => {
    const { result, trace } = await run({
      'x.yml': `
on: push
jobs:
  a:
    runs-on: ubuntu-latest
    outputs: { arn: '\${{ steps.s.outputs.arn }}', plain: '\${{ steps.s.outputs.plain }}' }
    steps:
      - id: s
        run: |
          echo "::add-mask::123456789012"
          echo "arn=arn:aws:iam::123456789012:role/x" >> "$GITHUB_OUTPUT"
          echo "plain=yes" >> "$GITHUB_OUTPUT"
      - run: 'test "\${{ steps.s.outputs.arn }}" = "arn:aws:iam::$((123456789011 + 1)):role/x"'
  b:
    needs: a
    runs-on: ubuntu-latest
    steps: [{ run: 'echo "trace: [\${{ needs.a.outputs.arn }}] \${{ needs.a.outputs.plain }}"' }]
`,
    })
    expect(trace).toContain('[] yes')
    expect(result.jobs[0]?.outputs).toEqual({ plain: 'yes' })
    expect(result.jobs[0]?.annotations[0]?.message).toBe("Skip output 'arn' since it may contain secret.")
    expect(result.conclusion).toBe('success')
  })
})
