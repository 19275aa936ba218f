import { describe, expect, test } from '@jest/globals'
import { summarise } from '../src/bench/cold-start.ts'
import { entriesOf, registrySource, stubSource } from '../src/bundling/registry.ts'

describe('entries', () => {
  const entries = entriesOf([
    { name: 'provision', path: '/r/actions/provision', hasPost: true },
    { name: "o'brien", path: "/r/actions/o'brien", hasPost: false },
  ])

  test('are a main for each action and a post where there is one', () => {
    expect(entries.map(({ name }) => name)).toEqual(['provision', 'provision-post', "o'brien"])
  })

  test('stand in the registry behind an import of their own', () => {
    const source = registrySource(entries)
    expect(source).toContain("'provision-post': () => import('/r/actions/provision/src/post.ts'),")
    expect(source).toContain("'o\\'brien': () => import('/r/actions/o\\'brien/src/main.ts'),")
  })
})

test('a stub is two lines that start its entry', () => {
  expect(stubSource('teardown')).toBe("import { start } from './index.js'\nawait start('teardown')\n")
})

test('summarise gives the median of an odd and of an even number of runs', () => {
  expect(summarise([30, 10, 20])).toEqual({ medianMs: 20, minMs: 10, maxMs: 30 })
  expect(summarise([40, 10, 20, 30])).toEqual({ medianMs: 25, minMs: 10, maxMs: 40 })
})
