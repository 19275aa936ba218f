import type { Plain } from './expressions.ts'

/** One combination of a matrix. */
export type Combination = Readonly<Record<string, Plain>>

/** GitHub's limit on the jobs of one matrix. */
export const MATRIX_LIMIT = 256

const same = (a: Plain | undefined, b: Plain | undefined) => JSON.stringify(a) === JSON.stringify(b)

const isMap = (value: Plain): value is Combination =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

const isList = (value: Plain | undefined): value is readonly Plain[] => Array.isArray(value)

const listOfMaps = (value: Plain | undefined, name: string): readonly Combination[] => {
  if (value === undefined || value === null) return []
  if (!isList(value) || !value.every(isMap)) throw new Error(`matrix.${name} must be a list of maps`)
  return value
}

/** True when every key of the filter has this value in the combination. */
const matches = (combination: Combination, filter: Combination, keys = Object.keys(filter)) =>
  keys.every(key => same(combination[key], filter[key]))

/**
 * Expands `strategy.matrix` as GitHub does: the product of its lists, less what `exclude` matches, then `include`: an
 * entry extends every combination whose own values it does not change, and becomes a combination where it fits none.
 */
export function expandMatrix(matrix: Plain): Combination[] {
  if (!isMap(matrix)) throw new Error('matrix must be a map')
  const { include, exclude, ...axes } = matrix
  let product: Combination[] = Object.keys(axes).length === 0 ? [] : [{}]
  for (const [axis, values] of Object.entries(axes)) {
    if (!isList(values)) throw new Error(`matrix.${axis} must be a list`)
    product = product.flatMap(combination => values.map(value => ({ ...combination, [axis]: value })))
  }
  const excluded = listOfMaps(exclude, 'exclude')
  const originals = product.filter(combination => !excluded.some(filter => matches(combination, filter)))
  const extended: Combination[] = originals.map(original => ({ ...original }))
  const added: Combination[] = []
  for (const entry of listOfMaps(include, 'include')) {
    const shared = Object.keys(entry).filter(key => key in axes)
    let fits = false
    for (const [index, original] of originals.entries()) {
      if (!matches(original, entry, shared)) continue
      extended[index] = { ...extended[index], ...entry }
      fits = true
    }
    if (!fits) added.push({ ...entry })
  }
  const all = [...extended, ...added]
  if (all.length === 0) throw new Error('the matrix has no combination left')
  if (all.length > MATRIX_LIMIT) throw new Error(`the matrix has ${all.length} jobs, more than ${MATRIX_LIMIT}`)
  return all
}

/** `test (g5.xlarge, 3)`: how GitHub names a job of a matrix that has no name of its own. */
export const combinationName = (combination: Combination): string =>
  Object.values(combination)
    .map(value => (typeof value === 'object' ? JSON.stringify(value) : String(value)))
    .join(', ')
