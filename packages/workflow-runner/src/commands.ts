/** A line that a step printed: text, or a command to the runner. */
export type Line =
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'command'
      readonly name: string
      readonly properties: Readonly<Record<string, string>>
      readonly data: string
    }

/** Commands that this runner takes. `set-output` and `save-state` are gone: their files replaced them, so they are text. */
const known = new Set([
  'add-mask',
  'add-matcher',
  'debug',
  'echo',
  'endgroup',
  'error',
  'group',
  'notice',
  'remove-matcher',
  'warning',
])

const unescapeData = (text: string) => text.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%')

const unescapeProperty = (text: string) =>
  text
    .replaceAll('%0D', '\r')
    .replaceAll('%0A', '\n')
    .replaceAll('%3A', ':')
    .replaceAll('%2C', ',')
    .replaceAll('%25', '%')

function parse(line: string): { name: string; properties: Record<string, string>; data: string } | null {
  const match = /^\s*::([^\s:]+)(?: ((?:(?!::).)*))?::(.*)$/s.exec(line)
  if (match === null) return null
  const [, name = '', rawProperties = '', data = ''] = match
  const properties = rawProperties.split(',').flatMap(pair => {
    const equals = pair.indexOf('=')
    if (equals < 1) return []
    return [[pair.slice(0, equals).trim(), unescapeProperty(pair.slice(equals + 1))] as const]
  })
  return { name, properties: Object.fromEntries(properties), data: unescapeData(data) }
}

/**
 * Reads the lines of one step. Between `::stop-commands::token` and `::token::` everything is text, which is how a
 * program shows output that it does not trust.
 */
export function createLineReader(): (line: string) => Line {
  let stopToken: string | null = null
  return line => {
    const text: Line = { kind: 'text', text: line }
    const command = parse(line)
    if (command === null) return text
    if (stopToken !== null) {
      if (command.name !== stopToken) return text
      stopToken = null
      return { kind: 'text', text: '' }
    }
    if (command.name === 'stop-commands') {
      // A token that is itself a command could be ended by anybody; GitHub refuses it as well.
      if (command.data.trim() === '' || known.has(command.data)) {
        return { kind: 'command', name: 'error', properties: {}, data: `invalid stop-commands token '${command.data}'` }
      }
      stopToken = command.data
      return { kind: 'text', text: '' }
    }
    return known.has(command.name) ? { kind: 'command', ...command } : text
  }
}
