import { AwsError, invalidValue } from '../aws/errors.ts'
import { list, text, texts, type QueryNode } from '../aws/query.ts'
import { fitsOneOf } from '../patterns.ts'
import type { Tags } from './model.ts'

export interface Filter {
  readonly name: string
  readonly values: readonly string[]
}

/** What each filter looks at: the texts of a resource of which one must fit. */
export type Fields<T> = Readonly<Record<string, (resource: T) => readonly (string | number | boolean | null)[]>>

/** Reads `Filter.N` of a request. */
export function readFilters(node: QueryNode): readonly Filter[] {
  const filters = list(node, 'Filter').map(filter => ({
    name: text(filter, 'Name') ?? '',
    values: texts(filter, 'Value'),
  }))
  if (filters.reduce((sum, { values }) => sum + values.length, 0) > 200)
    throw new AwsError('FilterLimitExceeded', 'The maximum number of filter values specified on a single call is 200')
  return filters
}

/**
 * Whether a resource passes all filters. The values of one filter are alternatives and may hold `*` and `?`.
 * `tag:KEY` and `tag-key` work on everything that has tags; a filter that nothing stands for is refused by name.
 */
export function passes<T>(resource: T, filters: readonly Filter[], fields: Fields<T>, tags: Tags = {}): boolean {
  return filters.every(filter => textsOf(resource, filter.name, fields, tags).some(readyFor(filter)))
}

// A filter is held against thousands of resources: its patterns are made ready once.
const ready = new WeakMap<Filter, (text: string) => boolean>()

function readyFor(filter: Filter): (text: string) => boolean {
  const known = ready.get(filter)
  if (known !== undefined) return known
  const fits = fitsOneOf(filter.values)
  ready.set(filter, fits)
  return fits
}

function textsOf<T>(resource: T, name: string, fields: Fields<T>, tags: Tags): readonly string[] {
  if (name.startsWith('tag:')) {
    const key = name.slice('tag:'.length)
    return Object.hasOwn(tags, key) ? [tags[key] ?? ''] : []
  }
  if (name === 'tag-key') return Object.keys(tags)
  const read = Object.hasOwn(fields, name) ? fields[name] : undefined
  if (read === undefined) return []
  return read(resource).flatMap(value => (value === null ? [] : [String(value)]))
}

/** Refuses filters that this kind of resource does not know, also where there is no resource at all. */
export function checkFilters<T>(filters: readonly Filter[], fields: Fields<T>): void {
  for (const { name } of filters) {
    if (name.startsWith('tag:') || name === 'tag-key' || Object.hasOwn(fields, name)) continue
    throw invalidValue(`The filter '${name}' is invalid`)
  }
}
