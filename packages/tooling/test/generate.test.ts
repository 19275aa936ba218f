import { describe, expect, test } from '@jest/globals'
import { defineAction, input, type ActionDefinition } from '@gpu-actions/action-kit'
import { parse } from 'yaml'
import { actionYml } from '../src/generate/action-yml.ts'
import { between, inputTable, markdownTable } from '../src/generate/readme.ts'

const action: ActionDefinition = defineAction({
  name: 'sample',
  title: 'A sample',
  description: 'Does nothing: a sample.',
  inputs: {
    region: input.text({ about: 'Where: one of `a|b`.', required: true }),
    steps: input.integer({ about: 'How many.', fallback: '200' }),
    compile: input.boolean({ about: 'Whether.', fallback: 'false' }),
    note: input.text({ about: 'Free.' }),
  },
  outputs: { result: 'What came out.' },
  post: true,
}) as unknown as ActionDefinition

describe('actionYml', () => {
  test('says what the definition says, with defaults as strings', () => {
    expect(parse(actionYml(action))).toEqual({
      name: 'A sample',
      description: 'Does nothing: a sample.',
      inputs: {
        region: { description: 'Where: one of `a|b`.', required: true },
        steps: { description: 'How many.', required: false, default: '200' },
        compile: { description: 'Whether.', required: false, default: 'false' },
        note: { description: 'Free.', required: false },
      },
      outputs: { result: { description: 'What came out.' } },
      runs: { using: 'node24', main: '../dist/sample.js', post: '../dist/sample-post.js' },
    })
  })

  test('has neither post nor outputs where the action has none', () => {
    const text = actionYml({ ...action, outputs: {}, post: false })
    expect(parse(text)).toMatchObject({ runs: { main: '../dist/sample.js' } })
    expect(text).not.toMatch(/post|outputs/)
  })
})

describe('tables', () => {
  test('show what is required, the default, or nothing', async () => {
    const rows = (await inputTable(action)).split('\n').map(row => row.split(/(?<!\\)\|/).map(cell => cell.trim()))
    expect(rows[2]?.slice(1, 4)).toEqual(['`region`', '**required**', 'Where: one of `a\\|b`.'])
    expect(rows[3]?.slice(1, 3)).toEqual(['`steps`', '`200`'])
    expect(rows[5]?.slice(1, 3)).toEqual(['`note`', ''])
  })

  test('keep a cell on one line', async () => {
    expect((await markdownTable([['a'], ['one\n  two']])).trim().split('\n')).toHaveLength(3)
  })
})

describe('between', () => {
  const page = 'Before.\n\n<!-- inputs -->\nold\n<!-- /inputs -->\n\nAfter.\n'

  test('replaces what is between the markers and nothing else', () => {
    expect(between(page, 'inputs', 'new\n')).toBe('Before.\n\n<!-- inputs -->\n\nnew\n\n<!-- /inputs -->\n\nAfter.\n')
  })

  test('changes nothing the second time', () => {
    const once = between(page, 'inputs', 'new')
    expect(between(once, 'inputs', 'new')).toBe(once)
  })

  test.each([['no markers'], ['<!-- inputs -->'], ['<!-- /inputs --> <!-- inputs -->'], [page + page]])(
    'refuses a page without exactly one pair: %j',
    text => {
      expect(() => between(text, 'inputs', 'new')).toThrow('needs the markers <!-- inputs --> and <!-- /inputs -->')
    },
  )
})
