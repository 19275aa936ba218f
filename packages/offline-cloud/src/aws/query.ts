/**
 * The parameters of AWS's query protocols. `Filter.1.Name=a&Filter.1.Value.1=b` is a tree; each node may have a value,
 * children, or both.
 */
export interface QueryNode {
  readonly value: string | undefined
  readonly children: ReadonlyMap<string, QueryNode>
}

interface Growing {
  value: string | undefined
  children: Map<string, Growing>
}

const empty: QueryNode = { value: undefined, children: new Map() }

/** Reads form-encoded pairs into a tree. Of a name that comes twice the last value counts. */
export function parseQuery(body: string): QueryNode {
  const root: Growing = { value: undefined, children: new Map() }
  for (const [name, value] of new URLSearchParams(body)) {
    let node = root
    for (const part of name.split('.')) {
      const child = node.children.get(part) ?? { value: undefined, children: new Map() }
      node.children.set(part, child)
      node = child
    }
    node.value = value
  }
  return root
}

/** The node at a dotted path, empty where there is none. */
export const at = (node: QueryNode, path: string): QueryNode =>
  path.split('.').reduce<QueryNode>((current, part) => current.children.get(part) ?? empty, node)

/** The text at a dotted path. */
export const text = (node: QueryNode, path: string): string | undefined => at(node, path).value

/** `true` and `false` as AWS spells them; anything else is not given. */
export const flag = (node: QueryNode, path: string): boolean | undefined => {
  const value = text(node, path)?.toLowerCase()
  return value === 'true' ? true : value === 'false' ? false : undefined
}

/** The members of a list (`Name.1`, `Name.2` …) in the order of their numbers, gaps allowed. */
export const list = (node: QueryNode, path: string): readonly QueryNode[] =>
  [...at(node, path).children]
    .filter(([key]) => /^\d+$/.test(key))
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([, child]) => child)

/** The texts of a list of scalars. */
export const texts = (node: QueryNode, path: string): readonly string[] =>
  list(node, path).flatMap(child => (child.value === undefined ? [] : [child.value]))

/** The tree as plain data, for the call log and for comparing requests. */
export function plain(node: QueryNode): unknown {
  if (node.children.size === 0) return node.value ?? ''
  const members = [...node.children].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  const object = Object.fromEntries(members.map(([key, child]) => [key, plain(child)]))
  return node.value === undefined ? object : { ...object, '': node.value }
}
