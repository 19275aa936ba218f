import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { parseAction } from '@actions/workflow-parser/actions/index'
import { NoOperationTraceWriter } from '@actions/workflow-parser'
import { parse } from 'yaml'
import { faultsOfUses, yamlBlocks } from '../src/contracts/uses.ts'
import { loadDefinitions } from '../src/generate/definitions.ts'
import { compareGenerated } from '../src/generate/generate.ts'
import { findActions, root } from '../src/repository.ts'

const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const definitions = await loadDefinitions()
const metadataPaths = [
  ...findActions().map(({ name }) => `actions/${name}/action.yml`),
  'build/release-tree/action.yml',
]
const workflowFolders = ['workflows-examples', '.github/workflows']
const workflowPaths = workflowFolders.flatMap(folder =>
  readdirSync(join(root, folder)).map(name => `${folder}/${name}`),
)
const examples = readdirSync(join(root, 'workflows-examples')).filter(name => name.endsWith('.yml'))
const pages = globSync(['*.md', 'docs/**/*.md', 'actions/*/README.md'], { cwd: root })

test('there are actions, examples and pages to look at', () => {
  expect(definitions.size).toBeGreaterThan(0)
  expect(examples.length).toBeGreaterThan(0)
  expect(pages.length).toBeGreaterThan(definitions.size)
})

test('every generated file is what its definition says', async () => {
  const { stale, faults } = await compareGenerated()
  expect({ stale: [...stale.keys()], faults }).toEqual({ stale: [], faults: [] })
})

describe.each(metadataPaths)('%s', path => {
  test("is accepted by GitHub's own parser", () => {
    const { context } = parseAction({ name: path, content: read(path) }, new NoOperationTraceWriter())
    expect(context.errors.getErrors().map(({ message }) => message)).toEqual([])
  })

  test('uses node24, as all others do', () => {
    expect((parse(read(path)) as { runs: { using: string } }).runs.using).toBe('node24')
  })
})

test.each(metadataPaths.filter(path => path.startsWith('actions/')))(
  '%s names entries that the release tree has',
  path => {
    const { runs } = parse(read(path)) as { runs: { main: string; post?: string } }
    const folder = join(root, 'build/release-tree', basename(join(path, '..')))
    for (const entry of [runs.main, runs.post].filter(entry => entry !== undefined)) {
      expect(existsSync(join(folder, entry))).toBe(true)
    }
  },
)

test.each(workflowPaths)('%s uses actions that exist, with inputs they have, and pins those of others', path => {
  expect(faultsOfUses(read(path), { definitions, workflows: new Set(examples) })).toEqual([])
})

test.each(pages)('the workflows in %s use actions that exist, with inputs they have', path => {
  const faults = yamlBlocks(read(path)).flatMap(block =>
    faultsOfUses(block, { definitions, workflows: new Set(examples) }),
  )
  expect(faults).toEqual([])
})
