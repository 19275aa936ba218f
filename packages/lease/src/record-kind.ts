import type { Records } from '@gpu-actions/action-kit/ports'
import * as v from 'valibot'

export const object = <const E extends v.ObjectEntries>(entries: E) => v.pipe(v.object(entries), v.readonly())
export const list = <S extends v.GenericSchema>(item: S) => v.pipe(v.array(item), v.readonly())
/** UTC, ISO 8601. */
export const instant = v.pipe(v.string(), v.isoTimestamp())
export const count = v.pipe(v.number(), v.integer(), v.minValue(0))

export const placeSchema = object({ account: v.string(), region: v.string() })

/** A record of the run directory: its file and its schema. */
export interface RecordKind<T> {
  readonly file: string
  /** @throws v.ValiError when it is something else */
  parse(value: unknown): T
  /** @returns undefined when the run directory has none */
  read(records: Records): Promise<T | undefined>
  write(records: Records, record: T): Promise<void>
}

export function kind<S extends v.GenericSchema<unknown, { readonly schema: string }>>(
  file: string,
  schema: S,
): RecordKind<v.InferOutput<S>> {
  const parse = (value: unknown): v.InferOutput<S> => v.parse(schema, value)
  return {
    file,
    parse,
    read: async records => {
      const found = await records.read(file)
      return found === undefined ? undefined : parse(found)
    },
    write: (records, record) => records.write(file, record),
  }
}
