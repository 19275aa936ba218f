import { formatDuration, parseDuration } from './ports/duration.ts'

/** How one input is documented, read and checked. */
export interface Input<T> {
  readonly about: string
  /** The text taken when the input is empty; shown as the default in action.yml. */
  readonly fallback?: string
  /** Empty and without fallback is a fault. */
  readonly required: boolean
  /** Masked before anything can print it. */
  readonly secret: boolean
  /** Turns text into a value; throws a RangeError that says what would have been right. */
  readonly parse: (text: string) => T
}

interface Common {
  readonly about: string
}
interface Fallback extends Common {
  readonly fallback: string
}
interface Required extends Common {
  readonly required: true
}

/** Given, or with a fallback: the value is there. Neither: it may be undefined. */
type Kind<T, More = unknown> = {
  (options: Fallback & More): Input<T>
  (options: Required & More): Input<T>
  (options: Common & More): Input<T | undefined>
}

function kind<T, More = unknown>(parse: (text: string, options: More) => T, secret = false): Kind<T, More> {
  const make = (options: Common & { fallback?: string; required?: boolean } & More): Input<T> => ({
    about: options.about,
    ...(options.fallback === undefined ? {} : { fallback: options.fallback }),
    required: options.required ?? false,
    secret,
    parse: text => parse(text, options),
  })
  return make as Kind<T, More>
}

interface Range {
  readonly min?: number
  readonly max?: number
}

function inRange(
  value: number,
  { min = -Infinity, max = Infinity }: Range,
  show: (n: number) => string = String,
): number {
  if (value >= min && value <= max) return value
  if (max === Infinity) throw new RangeError(`must be at least ${show(min)}`)
  if (min === -Infinity) throw new RangeError(`must be at most ${show(max)}`)
  throw new RangeError(`must be between ${show(min)} and ${show(max)}`)
}

interface Pattern {
  readonly pattern?: RegExp
  /** What the pattern asks for, in words: `an instance id such as i-0123456789abcdef0`. */
  readonly must?: string
}

function matching(text: string, { pattern, must }: Pattern): string {
  if (pattern !== undefined && !pattern.test(text)) throw new RangeError(`must be ${must ?? `like ${pattern.source}`}`)
  return text
}

const entries = (text: string): string[] =>
  text
    .split(/[,\n]/)
    .map(entry => entry.trim())
    .filter(entry => entry !== '')

export const text = kind<string, Pattern>(matching)

/** Text that is masked before anything can print it, and never saved. */
export const secret = kind<string>(given => given, true)

export const integer = kind<number, Range>((given, range) => {
  if (!/^-?\d+$/.test(given)) throw new RangeError('must be a whole number')
  return inRange(Number(given), range)
})

export const number = kind<number, Range>((given, range) => {
  if (!/^-?\d+(\.\d+)?$/.test(given)) throw new RangeError('must be a decimal number')
  return inRange(Number(given), range)
})

export const boolean = kind<boolean>(given => {
  if (/^(true|True|TRUE)$/.test(given)) return true
  if (/^(false|False|FALSE)$/.test(given)) return false
  throw new RangeError('must be true or false')
})

/** Milliseconds, from `30s`, `45m`, `1h30m` or a bare number of minutes. */
export const duration = kind<number, Range>((given, range) => {
  const ms = parseDuration(given)
  if (ms === undefined) throw new RangeError('must be a duration such as 30s, 45m, 1h30m or a number of minutes')
  return inRange(ms, range, formatDuration)
})

/** Comma or newline between entries; surrounding blanks and empty entries are dropped. */
export const list = kind<readonly string[], Pattern>((given, pattern) =>
  entries(given).map(entry => matching(entry, pattern)),
)

/** `key=value` pairs, comma or newline between them. */
export const tags = kind<Readonly<Record<string, string>>>(given => {
  const pairs = entries(given).map(entry => {
    const cut = entry.indexOf('=')
    if (cut < 1) throw new RangeError(`must be key=value pairs; '${entry}' is none`)
    return [entry.slice(0, cut).trim(), entry.slice(cut + 1).trim()] as const
  })
  return Object.fromEntries(pairs)
})

/** One of a fixed set of words. */
export function oneOf<const C extends string>(
  choices: readonly C[],
  options: Common & { readonly fallback: C },
): Input<C> {
  return {
    about: `${options.about} One of: ${choices.map(choice => `\`${choice}\``).join(', ')}.`,
    fallback: options.fallback,
    required: false,
    secret: false,
    parse: given => {
      const found = choices.find(choice => choice === given)
      if (found === undefined) throw new RangeError(`must be one of ${choices.join(', ')}`)
      return found
    },
  }
}
