import { markdownTable } from 'markdown-table'

/** Anything a browser or terminal would obey instead of showing it, direction marks and line separators included. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu
/** All ASCII punctuation that can begin, end or change something in Markdown or HTML. */
const special = /[\\`*_{}[\]()#!|<>~&@$^]/g
/** What GitHub makes something of without a mark around it: addresses with a scheme or `www.`, and `:emoji:`. */
const address = /:(?=\/)|(?<=\bwww)\.|:(?=[a-z+-][\w+-]*:)/gi
/** What starts a list, a quotation or a heading when it stands first. */
const first = /^[-+=]|(?<=^\d+)\.(?=\s|$)/

const longest = 300

/**
 * Text from a record, as text: nothing in it can open a table cell, a link, a picture or HTML. One line; what is longer
 * than 300 characters is cut.
 */
export function plain(value: string): string {
  const line = value.replace(/\s+/g, ' ').trim().replace(unprintable, '\ufffd')
  const letters = Array.from(line)
  const cut = letters.length > longest ? `${letters.slice(0, longest).join('')}…` : line
  return cut
    .replace(special, found => `\\${found}`)
    .replace(address, found => `\\${found}`)
    .replace(first, found => `\\${found}`)
}

/** An unknown value is a dash: never a 0 that nobody measured. */
export const dash = '–'

export type Cell = string | number | null | undefined

/** A cell of text from a record; numbers stand as they are. */
export const cell = (value: Cell): string =>
  value === null || value === undefined || value === '' ? dash : typeof value === 'number' ? String(value) : plain(value)

/** A link to an address that we built or that is http(s); else the words alone. */
export function link(words: string, url: string): string {
  if (!/^https?:\/\/[^\s<>()"'\\]+$/.test(url)) return plain(words)
  return `[${plain(words)}](${url})`
}

/** @param rows cells that are Markdown already, the header first */
export const table = (rows: readonly (readonly string[])[]): string => markdownTable(rows)

/** A table stays readable; the rest of it is in `evidence.json`. */
export const mostRows = 60
export const limited = (rows: readonly (readonly string[])[]): readonly (readonly string[])[] => rows.slice(0, mostRows)

/** Code that comes from records, in a fence that no line of it can close. */
export function fenced(code: string): string {
  const runs = code.match(/`+/g) ?? []
  const fence = '`'.repeat(Math.max(3, ...runs.map(run => run.length + 1)))
  return `${fence}sh\n${code.replace(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\ufffd')}\n${fence}`
}

/** `1234.5678, 3` → `1235`, at least as many digits as `digits`, trailing zeros kept; null is a dash. */
export function figure(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return dash
  if (value === 0) return '0'
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value))))
  return value.toFixed(Math.min(decimals, 6))
}
