import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { XMLBuilder, XMLParser } from 'fast-xml-parser'
import { render, type Xml } from '../src/aws/xml.ts'

const name = fc.constantFrom('item', 'instanceId', 'tagSet', 'a', 'b2')
const leaf = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.boolean(),
  fc.string({ unit: fc.constantFrom('&', '<', "'", '"', 'x') }),
)
const { tree } = fc.letrec<{ tree: Xml }>(tie => ({
  tree: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.dictionary(name, tie('tree'), { minKeys: 1, maxKeys: 4 }),
    fc.dictionary(name, fc.array(tie('tree'), { minLength: 1, maxLength: 3 }), { minKeys: 1, maxKeys: 2 }),
  ),
}))

describe('an XML answer', () => {
  test('is what the library of the clients would write', () => {
    const builder = new XMLBuilder({ ignoreAttributes: false, attributeNamePrefix: '@', suppressEmptyNode: true })
    fc.assert(
      fc.property(tree, content => {
        const document = { Response: { '@xmlns': 'http://example.com/', content } }
        expect(render(document)).toBe(`<?xml version="1.0" encoding="UTF-8"?>\n${builder.build(document)}`)
      }),
    )
  })

  test('gives every text back to who reads it', () => {
    const parser = new XMLParser({ parseTagValue: false, trimValues: false })
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary-ascii' }).map(text => text.replace(/[^\x20-\x7e]/g, '')),
        text => {
          expect(parser.parse(render({ a: text }))).toEqual({ '?xml': '', a: text })
        },
      ),
    )
  })

  test('leaves out what is not there, and keeps an empty list as an empty element', () => {
    expect(render({ a: { b: undefined, c: '', d: [] } })).toBe('<?xml version="1.0" encoding="UTF-8"?>\n<a><c/></a>')
  })
})
