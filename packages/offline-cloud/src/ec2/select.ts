import { AwsError } from '../aws/errors.ts'
import type { QueryNode } from '../aws/query.ts'
import type { Xml } from '../aws/xml.ts'
import { checkFilters, passes, readFilters, type Fields } from './filters.ts'
import type { Tags } from './model.ts'

/** The members of an answer. */
export type Answer = { readonly [name: string]: Xml }

/** The common way of a read: ids first (an unknown one is refused), then filters. */
export function select<T>(
  node: QueryNode,
  all: readonly T[],
  fields: Fields<T>,
  wanted: {
    readonly ids: readonly string[]
    readonly key: (member: T) => string
    readonly code: string
    readonly word: string
  },
  tags: (member: T) => Tags = () => ({}),
): readonly T[] {
  const filters = readFilters(node)
  checkFilters(filters, fields)
  for (const id of wanted.ids) {
    if (!all.some(member => wanted.key(member) === id))
      throw new AwsError(wanted.code, `The ${wanted.word} '${id}' does not exist`)
  }
  return all.filter(
    member =>
      (wanted.ids.length === 0 || wanted.ids.includes(wanted.key(member))) &&
      passes(member, filters, fields, tags(member)),
  )
}
