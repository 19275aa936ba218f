import { AwsError, invalidValue } from '../aws/errors.ts'
import { text, type QueryNode } from '../aws/query.ts'

export interface Page<T> {
  readonly members: readonly T[]
  readonly nextToken: string | undefined
}

const encode = (last: string, index: number): string => Buffer.from(`${index}:${last}`).toString('base64url')

function decode(token: string): { readonly index: number; readonly last: string } {
  const [, index, last] = /^(\d+):(.+)$/.exec(Buffer.from(token, 'base64url').toString()) ?? []
  if (index === undefined || last === undefined) throw new AwsError('InvalidNextToken', 'The token is not valid.')
  return { index: Number(index), last }
}

/**
 * One page of a list. The token remembers the last member by its key, so that members that vanish before it between
 * two calls shift nothing. Without MaxResults a page holds `limit.unasked` members.
 */
export function page<T>(
  node: QueryNode,
  members: readonly T[],
  key: (member: T) => string,
  limit: { readonly least?: number; readonly most?: number; readonly unasked?: number } = {},
): Page<T> {
  const { least = 5, most = 1000, unasked = Number.POSITIVE_INFINITY } = limit
  const asked = text(node, 'MaxResults')
  const size = asked === undefined ? unasked : Number(asked)
  if (asked !== undefined && !(Number.isInteger(size) && size >= least && size <= most))
    throw invalidValue(
      `Value ( ${asked} ) for parameter maxResults is invalid. Expecting a value between ${least} and ${most}.`,
    )
  const token = text(node, 'NextToken')
  const from = token === undefined || token === '' ? 0 : positionAfter(decode(token), members, key)
  const chosen = members.slice(from, from + size)
  const last = chosen.at(-1)
  const more = last !== undefined && from + chosen.length < members.length
  return { members: chosen, nextToken: more ? encode(key(last), from + chosen.length) : undefined }
}

function positionAfter<T>(
  mark: { readonly index: number; readonly last: string },
  members: readonly T[],
  key: (member: T) => string,
): number {
  const found = members.findIndex(member => key(member) === mark.last)
  return found === -1 ? Math.min(mark.index, members.length) : found + 1
}
