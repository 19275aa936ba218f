import { expect, test } from '@jest/globals'
import { asRunner } from './fixtures/as-runner.ts'

test('a known command is obeyed wherever its form allows it to stand', () => {
  const heard = asRunner('a\n  ::error file=x::b\nc ##[add-mask]d\n:\u200b:set-output name=a::b\re\n')
  expect(heard.commands.map(command => command.name)).toEqual(['error', 'add-mask', 'set-output'])
  expect(heard.text).toEqual(['a', 'e', ''])
})

test('an unknown command is text', () => {
  expect(asRunner('::nonsense::x\na ::error::b')).toMatchObject({
    commands: [],
    text: ['::nonsense::x', 'a ::error::b'],
  })
})

test('stopped commands are text until the token comes, and only that token', () => {
  const heard = asRunner('::stop-commands::t\n::error::a\n::u::\n::t::\n::error::b')
  expect(heard).toMatchObject({ tokens: ['t'], text: ['::error::a', '::u::'] })
  expect(heard.commands).toHaveLength(1)
})
