import { describe, expect, test } from '@jest/globals'
import { WorkflowFault } from '../src/faults.ts'
import { parseReference } from '../src/actions.ts'
import { createLocks } from '../src/locks.ts'
import { readWorkflow } from '../src/workflow.ts'

const faultsOf = (content: string): readonly string[] => {
  try {
    readWorkflow('x.yml', content)
  } catch (error) {
    if (error instanceof WorkflowFault) return error.faults
    throw error
  }
  return []
}

const job = (body: string) => `on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n${body}`

describe('reading a workflow', () => {
  test('what this runner does not have is refused by name with file and line, all of it at once', () => {
    const faults = faultsOf(
      job('    container: debian\n    environment: prod\n    steps:\n      - run: x\n    continue-on-error: true\n'),
    )
    expect(faults).toEqual([
      "x.yml:5: job 'a' key 'container' is not supported by this runner",
      "x.yml:6: job 'a' key 'environment' is not supported by this runner",
      "x.yml:9: job 'a' key 'continue-on-error' is not supported by this runner",
    ])
  })

  test("what GitHub's schema does not know is refused with line and column", () => {
    const faults = faultsOf(job('    stepz: []\n'))
    expect(faults.join()).toMatch(/x\.yml.*Line: 5, Col: 5.*Unexpected value 'stepz'/)
  })

  test('a need that does not exist is refused', () => {
    expect(
      faultsOf(job('    steps: [{ run: x }]\n  b: { needs: nobody, runs-on: x, steps: [{ run: x }] }\n')).join(),
    ).toContain('nobody')
  })

  test('an unknown context is refused', () => {
    expect(faultsOf(job('    steps: [{ run: "${{ nowhere.x }}" }]\n')).join()).toContain('nowhere')
  })

  test('a reusable workflow of another repository is refused', () => {
    const faults = faultsOf('on: push\njobs:\n  a:\n    uses: org/other/.github/workflows/x.yml@v1\n')
    expect(faults.join()).toContain('x.yml:4: a reusable workflow of another repository')
  })

  test('a condition without a status function means success() and it', () => {
    const { jobs } = readWorkflow('x.yml', job("    if: github.ref == 'x'\n    steps: [{ run: x }]\n"))
    expect(jobs[0]?.condition).toMatchObject({ expression: "success() && (github.ref == 'x')" })
  })

  test('a block with an expression keeps its lines and loses its indentation', () => {
    const { jobs } = readWorkflow(
      'x.yml',
      job('    steps:\n      - run: |\n          if true; then\n            echo ${{ github.ref }}\n          fi\n'),
    )
    const work = jobs[0]?.work
    const script = work?.kind === 'steps' && work.steps[0]?.work.kind === 'script' ? work.steps[0].work.script : null
    expect(script).toMatchObject({ expression: "format('if true; then\n  echo {0}\nfi\n', github.ref)" })
  })

  test('an input called if is only an input', () => {
    const { jobs } = readWorkflow('x.yml', job('    steps: [{ uses: a/b@c, with: { if: hello } }]\n'))
    const work = jobs[0]?.work
    const inputs = work?.kind === 'steps' && work.steps[0]?.work.kind === 'action' ? work.steps[0].work.inputs : null
    expect(inputs).toMatchObject({ entries: [{ key: 'if', value: { kind: 'scalar', value: 'hello' } }] })
  })
})

test.each([
  ['org/repo@v1', { repository: 'org/repo', subPath: '', ref: 'v1' }],
  ['org/repo/a/b@v1', { repository: 'org/repo', subPath: 'a/b', ref: 'v1' }],
  ['docker://x', null],
  ['org/repo', null],
])('the reference %s', (uses, expected) => {
  expect(parseReference(uses)).toEqual(expected)
})

describe('concurrency groups', () => {
  test('are entered one after the other in the order of asking', async () => {
    const locks = createLocks()
    const [first, second, third] = [locks.enter('g', 'max'), locks.enter('G', 'max'), locks.enter('g', 'max')]
    expect([first.free, second.free, third.free]).toEqual([true, false, false])
    await first.entered
    first.leave()
    await second.entered
    second.leave()
    await third.entered
    expect(locks.enter('other', 'max').free).toBe(true)
  })

  test('keep a single one waiting without queue: max', async () => {
    const locks = createLocks()
    const [first, second, third] = [locks.enter('g', 'single'), locks.enter('g', 'single'), locks.enter('g', 'single')]
    expect(second.displaced.aborted).toBe(true)
    second.leave()
    first.leave()
    await third.entered
  })
})
