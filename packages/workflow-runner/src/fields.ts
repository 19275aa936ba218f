import type { Place } from './faults.ts'
import { unsupported, WorkflowFault } from './faults.ts'
import type { Entry, Template } from './template.ts'

/** The entries of a map by key; a scalar null (an empty `key:`) is an empty map. */
export function entriesOf(template: Template | null): readonly Entry[] {
  if (template === null || (template.kind === 'scalar' && template.value === null)) return []
  if (template.kind !== 'map')
    throw new WorkflowFault([unsupported(template.place, 'an expression for this whole map')])
  return template.entries
}

export type Fields = Readonly<Record<string, Template | undefined>>

/** The fields of a map; a key that is not in `supported` is a fault that names `what` and the key. */
export function fieldsOf(template: Template, what: string, supported: readonly string[], faults: string[]): Fields {
  const entries = entriesOf(template)
  for (const { key, place } of entries) {
    if (!supported.includes(key)) faults.push(unsupported(place, `${what} key '${key}'`))
  }
  return Object.fromEntries(entries.map(({ key, value }) => [key, value]))
}

/** A text that must not hold an expression; null when absent. */
export function literal(template: Template | undefined): string | null {
  if (template === undefined || (template.kind === 'scalar' && template.value === null)) return null
  if (template.kind !== 'scalar') throw new WorkflowFault([unsupported(template.place, 'an expression at this place')])
  return String(template.value)
}

/** A list of literal texts, or one text alone. */
export function literals(template: Template | undefined): string[] {
  if (template === undefined) return []
  if (template.kind === 'list') return template.items.flatMap(item => literal(item) ?? [])
  const one = literal(template)
  return one === null ? [] : [one]
}

export const placeOf = (template: Template | undefined, otherwise: Place): Place => template?.place ?? otherwise
