/** What an XML answer is made of. A member that is undefined is left out, an empty list stays as an empty element. */
export type Xml = string | number | boolean | undefined | readonly Xml[] | { readonly [name: string]: Xml }

/** A list as EC2 writes it: `<xSet><item>…</item></xSet>`. */
export const items = (members: readonly Xml[]): Xml => (members.length === 0 ? '' : { item: members })

/** A time as EC2 writes it, in UTC with milliseconds. */
export const time = (ms: number): string => new Date(ms).toISOString()

/** Tags as EC2 writes them. */
export const tagSet = (tags: Readonly<Record<string, string>>): Xml =>
  items(Object.entries(tags).map(([key, value]) => ({ key, value })))

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}
const special = /[&<>"']/g
const escaped = (text: string): string =>
  // Most texts hold nothing special; the search is cheaper than a replacement that changes nothing.
  text.search(special) === -1 ? text : text.replace(special, character => entities[character] ?? character)

// By hand: a page of 1000 instances has some 100,000 elements, for which the library's builder takes 0.1 s and more.
function element(name: string, value: Xml): string {
  if (value === undefined) return ''
  if (isList(value)) return value.map(member => element(name, member)).join('')
  if (typeof value !== 'object') return value === '' ? `<${name}/>` : `<${name}>${escaped(String(value))}</${name}>`
  let attributes = ''
  let content = ''
  for (const key of Object.keys(value)) {
    const member = value[key]
    if (key.startsWith('@') && typeof member === 'string') attributes += ` ${key.slice(1)}="${escaped(member)}"`
    else content += element(key, member)
  }
  return content === '' ? `<${name}${attributes}/>` : `<${name}${attributes}>${content}</${name}>`
}

const isList = (value: Xml): value is readonly Xml[] => Array.isArray(value)

/** A document as text. */
export const render = (document: { readonly [name: string]: Xml }): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n${Object.entries(document)
    .map(([name, value]) => element(name, value))
    .join('')}`

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
