import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { root } from '../src/repository.ts'

const bench = (...args: readonly string[]) =>
  spawnSync(process.execPath, [join(root, 'packages/tooling/src/bench-verdict.ts'), ...args], { encoding: 'utf8' })

test('the verdict rule keeps its promises in the quick mode, beside the rules of others', () => {
  const { status, stdout, stderr } = bench('--trials', '2000')
  expect({ status, stderr: stderr.replace(/.*Warning.*\n?/g, '') }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toMatch(/^(\d+) of \1 targets are met\.$/m)
  for (const tool of ['github-action-benchmark', 'bencher', 'conbench', 'torchbench', 'asv'])
    expect(stdout).toContain(tool)
  expect(stdout).toContain('The smallest loss that is found within three runs in 95 % of cases')
}, 600_000)

test('a number of trials that says nothing is refused', () => {
  expect(bench('--trials', '7')).toMatchObject({ status: 1, stdout: '' })
})
