import { XMLBuilder } from 'fast-xml-parser'

/** What an XML answer is made of. A member that is undefined is left out, an empty list stays as an empty element. */
export type Xml = string | number | boolean | undefined | readonly Xml[] | { readonly [name: string]: Xml }

const builder = new XMLBuilder({ ignoreAttributes: false, attributeNamePrefix: '@', suppressEmptyNode: true })

/** A list as EC2 writes it: `<xSet><item>…</item></xSet>`. */
export const items = (members: readonly Xml[]): Xml => (members.length === 0 ? '' : { item: members })

/** A time as EC2 writes it, in UTC with milliseconds. */
export const time = (ms: number): string => new Date(ms).toISOString()

/** Tags as EC2 writes them. */
export const tagSet = (tags: Readonly<Record<string, string>>): Xml =>
  items(Object.entries(tags).map(([key, value]) => ({ key, value })))

const render = (document: Xml): string => `<?xml version="1.0" encoding="UTF-8"?>\n${builder.build(document)}`

/** An answer of EC2: `<OperationResponse>` with the request id first. */
export const ec2Answer = (operation: string, requestId: string, members: { readonly [name: string]: Xml }): string =>
  render({
    [`${operation}Response`]: { '@xmlns': 'http://ec2.amazonaws.com/doc/2016-11-15/', requestId, ...members },
  })

/** A refusal of EC2. */
export const ec2Refusal = (requestId: string, code: string, message: string): string =>
  render({ Response: { Errors: { Error: { Code: code, Message: message } }, RequestID: requestId } })

/** An answer of STS: the members sit in `<OperationResult>`. */
export const stsAnswer = (operation: string, requestId: string, members: { readonly [name: string]: Xml }): string =>
  render({
    [`${operation}Response`]: {
      '@xmlns': 'https://sts.amazonaws.com/doc/2011-06-15/',
      [`${operation}Result`]: members,
      ResponseMetadata: { RequestId: requestId },
    },
  })

/** A refusal of STS; `Sender` for the caller's fault. */
export const stsRefusal = (requestId: string, code: string, message: string, status: number): string =>
  render({
    ErrorResponse: {
      '@xmlns': 'https://sts.amazonaws.com/doc/2011-06-15/',
      Error: { Type: status >= 500 ? 'Receiver' : 'Sender', Code: code, Message: message },
      RequestId: requestId,
    },
  })
