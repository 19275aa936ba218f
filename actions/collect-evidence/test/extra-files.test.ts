import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { findExtraFiles } from '../src/extra-files.ts'

let root: string
let workspace: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'extra-files-'))
  workspace = join(root, 'workspace')
  await mkdir(join(workspace, 'out', 'deep'), { recursive: true })
  for (const file of ['notes.txt', 'out/a.log', 'out/deep/b.log', 'out/deep/c.csv', '[1].txt']) {
    await writeFile(join(workspace, file), '')
  }
  await writeFile(join(root, 'beside.txt'), '')
})
afterEach(() => rm(root, { recursive: true }))

const paths = async (pattern: string) => (await findExtraFiles(pattern, workspace)).map(({ path }) => path)

test.each([
  ['notes.txt', ['notes.txt']],
  ['./out/../notes.txt', ['notes.txt']],
  ['out', ['out/a.log', 'out/deep/b.log', 'out/deep/c.csv']],
  ['out/', ['out/a.log', 'out/deep/b.log', 'out/deep/c.csv']],
  ['**/*.log', ['out/a.log', 'out/deep/b.log']],
  ['o*', ['out/a.log', 'out/deep/b.log', 'out/deep/c.csv']],
  ['[1].txt', ['[1].txt']],
  ['nothing', []],
  ['*.nothing', []],
])('%s finds %j', async (pattern, found) => {
  expect(await paths(pattern)).toEqual(found)
})

test('a file outside of the workspace keeps its whole path below extra/', async () => {
  const outside = join(root, 'beside.txt').slice(1)
  expect(await paths('../beside.txt')).toEqual([outside])
  expect(await paths(join(root, 'beside.txt'))).toEqual([outside])
  expect(await paths(join(root, '*.txt'))).toEqual([outside])
})

test('links within a folder are not followed', async () => {
  await symlink('/etc/hostname', join(workspace, 'out', 'link.log'))
  expect(await paths('out')).not.toContain('out/link.log')
})
