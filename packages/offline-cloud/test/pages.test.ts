import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parseQuery } from '../src/aws/query.ts'
import { page } from '../src/ec2/pages.ts'

const ask = (parameters: Record<string, string>) => parseQuery(new URLSearchParams(parameters).toString())
const key = (member: string): string => member

describe('pages', () => {
  test('give every member once, in order', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.uuid(), { maxLength: 60 }), fc.integer({ min: 5, max: 20 }), (members, size) => {
        const seen: string[] = []
        let token: string | undefined
        do {
          const node = ask({ MaxResults: String(size), ...(token === undefined ? {} : { NextToken: token }) })
          const { members: some, nextToken } = page(node, members, key)
          expect(some.length).toBeLessThanOrEqual(size)
          seen.push(...some)
          token = nextToken
        } while (token !== undefined)
        expect(seen).toEqual(members)
      }),
    )
  })

  test('shift nothing when members before the mark vanish', () => {
    const members = Array.from({ length: 12 }, (_, index) => `m${index}`)
    const first = page(ask({ MaxResults: '5' }), members, key)
    const second = page(ask({ MaxResults: '5', NextToken: first.nextToken ?? '' }), members.slice(2), key)
    expect(second.members).toEqual(['m5', 'm6', 'm7', 'm8', 'm9'])
  })

  test('of a size that the service does not take, and made-up tokens, are refused', () => {
    for (const size of ['4', '1001', 'many', '5.5'])
      expect(() => page(ask({ MaxResults: size }), ['a'], key)).toThrow('maxResults')
    expect(() => page(ask({ NextToken: 'abc' }), ['a'], key)).toThrow('token')
  })
})
