import { parseArgs } from 'node:util'
import { parseDuration } from '@gpu-actions/action-kit/ports'
import { CommandFault } from './command.ts'

/** What `npm run workflow` and `npm start` are told. */
export interface Arguments {
  readonly help: boolean
  readonly file: string | null
  readonly inputs: Readonly<Record<string, string>>
  readonly secrets: Readonly<Record<string, string>>
  readonly vars: Readonly<Record<string, string>>
  readonly event: string | null
  readonly cancelAfterMs: number | null
  readonly timeScale: number
  readonly scenario: string | null
  /** Folder for the evidence; null leaves it in the cloud. */
  readonly evidence: string | null
}

const known = {
  help: { type: 'boolean', short: 'h' },
  input: { type: 'string', multiple: true },
  secret: { type: 'string', multiple: true },
  var: { type: 'string', multiple: true },
  event: { type: 'string' },
  'cancel-after': { type: 'string' },
  'time-scale': { type: 'string' },
  scenario: { type: 'string' },
  evidence: { type: 'string' },
} as const

/** Reads a command line; throws CommandFault with all that is wrong with it. */
export function readArguments(args: readonly string[], allowed: readonly (keyof typeof known)[]): Arguments {
  const { values, positionals, tokens } = parseArgs({
    args: [...args],
    options: known,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const faults: string[] = []
  const given = tokens.filter(token => token.kind === 'option')
  for (const token of given) {
    const option = allowed.find(name => name === token.name)
    if (option === undefined) faults.push(`there is no option ${token.rawName}`)
    else if (known[option].type === 'string' && token.value === undefined) faults.push(`${token.rawName} needs a value`)
  }
  if (positionals.length > 1) faults.push(`one workflow file at a time, not ${positionals.length}`)
  const text = (name: keyof typeof known): string | null => {
    const value = values[name]
    return typeof value === 'string' && value !== '' ? value : null
  }
  const pairs = (name: 'input' | 'secret' | 'var') => {
    const list = given.flatMap(token => (token.name === name && token.value !== undefined ? [token.value] : []))
    return Object.fromEntries(
      list.flatMap(pair => {
        const equals = pair.indexOf('=')
        // The pair is not repeated in the message: it may be a secret.
        if (equals < 1) faults.push(`--${name} takes name=value`)
        return equals < 1 ? [] : [[pair.slice(0, equals), pair.slice(equals + 1)] as const]
      }),
    )
  }
  const cancelAfter = text('cancel-after')
  const cancelAfterMs = cancelAfter === null ? null : (parseDuration(cancelAfter) ?? null)
  if (cancelAfter !== null && cancelAfterMs === null) {
    faults.push(`--cancel-after takes a duration such as 20s or 1m30s, not ${cancelAfter}`)
  }
  const timeScale = Number(text('time-scale') ?? '1')
  if (!(timeScale > 0)) faults.push(`--time-scale takes a number above 0, not ${text('time-scale')}`)
  const result: Arguments = {
    help: values.help === true,
    file: positionals[0] ?? null,
    inputs: pairs('input'),
    secrets: pairs('secret'),
    vars: pairs('var'),
    event: text('event'),
    cancelAfterMs,
    timeScale,
    scenario: text('scenario'),
    evidence: text('evidence'),
  }
  if (faults.length > 0 && !result.help) throw new CommandFault(faults.join('\n'))
  return result
}
