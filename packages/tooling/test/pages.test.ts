import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { anchorsOf, codeSpans, faultsOfLinks, linksOf, readPage } from '../src/contracts/pages.ts'

describe('readPage', () => {
  test('takes blocks with their language and line, in lists too, and keeps the lines of the prose', () => {
    const page = readPage('# A\n\n```sh\nls\n```\n\n- b\n\n  ```yaml\n  a:\n    b: 1\n  ```\n\nend')
    expect(page.blocks).toEqual([
      { language: 'sh', line: 3, text: 'ls\n' },
      { language: 'yaml', line: 9, text: 'a:\n  b: 1\n' },
    ])
    expect(page.prose[13]).toBe('end')
    expect(page.prose.join('')).toBe('# A- bend')
  })

  test('a longer fence holds a shorter one, and a block that is never closed goes on to the end', () => {
    expect(readPage('````md\n```sh\nls\n```\n````\n').blocks).toEqual([
      { language: 'md', line: 1, text: '```sh\nls\n```\n' },
    ])
    expect(readPage('```sh\nls').blocks).toEqual([{ language: 'sh', line: 1, text: 'ls\n' }])
  })

  test('whatever the text is, every line is prose or part of a block', () => {
    const lines = fc.array(fc.constantFrom('a', '```sh', '```', '~~~', '  ```', '# b'))
    fc.assert(
      fc.property(lines, given => {
        const { blocks, prose } = readPage(given.join('\n'))
        expect(prose).toHaveLength(Math.max(given.length, 1))
        const inBlocks = blocks.reduce((sum, block) => sum + block.text.split('\n').length - 1, 0)
        const fences = prose.filter(line => line === '').length - inBlocks
        const empty = given.length === 0 ? 1 : 0
        expect([2 * blocks.length + empty, 2 * blocks.length - 1]).toContain(fences)
      }),
    )
  })
})

test('codeSpans takes what stands between backticks, however many', () => {
  expect(codeSpans('a `b c` and ``d ` e`` | `f`')).toEqual(['b c', 'd ` e', 'f'])
})

test('anchorsOf names headings as GitHub does, and tells equal ones apart', () => {
  const anchors = anchorsOf(
    '# What `npm test` needs: Node, and more!\n## [Link](x.md) ##\n## Same\n## Same\n```\n# no\n```\n<a id="own"></a>\n',
  )
  expect([...anchors]).toEqual(['what-npm-test-needs-node-and-more', 'link', 'same', 'same-1', 'own'])
})

test('linksOf finds links, images and definitions, and none in code', () => {
  const page = '[a](b.md) [![c](d.svg)](e.md "title")\n`[no](no.md)`\n```\n[no](no.md)\n```\n[`f`]: <g.md>\n'
  expect(linksOf(page)).toEqual([
    { line: 1, target: 'b.md' },
    { line: 1, target: 'd.svg' },
    { line: 1, target: 'e.md' },
    { line: 6, target: 'g.md' },
  ])
})

describe('faultsOfLinks', () => {
  const faults = (text: string): readonly string[] => {
    const pages: Readonly<Record<string, string>> = { 'docs/a.md': text, 'b.md': '# Here\n', 'c.json': '{}', docs: '' }
    return faultsOfLinks('docs/a.md', { exists: path => path in pages, read: path => pages[path] ?? '' })
  }

  test('finds nothing wrong with files, folders, headings and other places', () => {
    expect(
      faults('# Top\n[a](../b.md#here) [b](#top) [c](../c.json) [d](../docs) [e](https://x.example/y#z) <m@x.example>'),
    ).toEqual([])
  })

  test('names the line of a file or heading that is not there, and of a path that only works here', () => {
    expect(faults('[a](b.md)\n[b](../b.md#there)\n[c](/b.md) [d](../../x) [e](../c.json#L1)')).toEqual([
      'line 1: b.md: there is no such file',
      'line 2: ../b.md#there: the page has no such heading',
      'line 3: /b.md: does not begin at the page',
      'line 3: ../../x: leads out of the repository',
      'line 3: ../c.json#L1: names a heading in what is no page',
    ])
  })
})
