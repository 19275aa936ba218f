/** One `name=value` of GITHUB_OUTPUT, GITHUB_ENV or GITHUB_STATE. */
export type Pair = readonly [name: string, value: string]

/** The next line with its newline told apart; null at the end of the text. */
function lineAt(text: string, from: number): { line: string; next: number; newline: string } | null {
  if (from >= text.length) return null
  const end = text.indexOf('\n', from)
  if (end < 0) return { line: text.slice(from), next: text.length, newline: '' }
  const newline = end > from && text[end - 1] === '\r' ? '\r\n' : '\n'
  return { line: text.slice(from, end + 1 - newline.length), next: end + 1, newline }
}

/**
 * Reads a file command by the rules of GitHub's runner (FileCommandManager.cs): `name=value`, or a heredoc whose
 * delimiter stands alone on a line and whose value ends with a newline. Throws an Error that says what is wrong.
 */
export function parsePairs(text: string): Pair[] {
  const pairs: Pair[] = []
  const start = text.startsWith('\uFEFF') ? 1 : 0
  for (let read = lineAt(text, start); read !== null; read = lineAt(text, read.next)) {
    if (read.line === '') continue
    const equals = read.line.indexOf('=')
    const heredoc = read.line.indexOf('<<')
    if (heredoc >= 0 && (equals < 0 || heredoc < equals)) {
      const found = parseHeredoc(text, read.line, heredoc, read.next)
      pairs.push([found.name, found.value])
      read = { ...read, next: found.next }
    } else if (equals > 0) {
      pairs.push([read.line.slice(0, equals), read.line.slice(equals + 1)])
    } else {
      throw new Error(
        equals === 0 ? `Invalid format '${read.line}'. Name must not be empty` : `Invalid format '${read.line}'`,
      )
    }
  }
  return pairs
}

function parseHeredoc(text: string, line: string, heredoc: number, from: number) {
  const name = line.slice(0, heredoc)
  const delimiter = line.slice(heredoc + 2)
  if (name === '' || delimiter === '') {
    throw new Error(`Invalid format '${line}'. Name must not be empty and delimiter must not be empty`)
  }
  let end = from
  for (let read = lineAt(text, from); ; read = lineAt(text, read.next)) {
    if (read === null || (read.newline === '' && read.line !== delimiter)) {
      throw new Error(`Invalid value. Matching delimiter not found '${delimiter}'`)
    }
    if (read.line === delimiter) return { name, value: text.slice(from, end), next: read.next }
    end = read.next - read.newline.length
  }
}

/** One directory a line. */
export const parsePaths = (text: string): string[] =>
  text
    .split(/\r?\n/)
    .map(line => line.trim())
    .filter(line => line !== '')

/** Largest summary of a step, in bytes. A larger one is an error and nothing of it is kept. */
export const SUMMARY_LIMIT = 1024 * 1024

/** Variables that GITHUB_ENV may not set (runner: _setEnvBlockList). */
export const blockedVariables: ReadonlySet<string> = new Set(['NODE_OPTIONS'])
