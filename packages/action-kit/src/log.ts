import { randomUUID } from 'node:crypto'
import * as core from '@actions/core'
import type { Log } from './ports/log.ts'

/** Control characters other than newline and tab; a terminal would obey them. */
const controls = /(?![\n\t])\p{Cc}/gu

/** Shows control characters as pictures (ESC as ␛) and every kind of line end as a newline. */
const visible = (text: string): string =>
  text
    .replace(/\r\n?/g, '\n')
    .replace(controls, found => (found < ' ' ? String.fromCharCode(0x2400 + found.charCodeAt(0)) : '\ufffd'))

/** What the runner's comparison of text passes over: it finds `::` in `:\u200b:` as well. */
const ignorable = /(?![\n\r\t])[\p{Cc}\p{Cf}]/gu

/** Would the runner obey a line of it? A command begins its line with `::`, one of the old form stands anywhere. */
const looksLikeCommand = (text: string): boolean => /^\s*::|##\[/m.test(text.replace(ignorable, ''))

/** Prints text so that the runner obeys nothing in it: between stop-commands with a token that nobody can guess. */
function verbatim(text: string): void {
  const token = randomUUID()
  core.info(`::stop-commands::${token}`)
  core.info(text)
  core.info(`::${token}::`)
}

/** The log of a step on GitHub. Terminals are told nothing by it: control characters are shown, not sent. */
export const actionLog: Log = {
  debug: message => core.debug(visible(message)),
  info: message => (looksLikeCommand(message) ? verbatim(visible(message)) : core.info(visible(message))),
  notice: message => core.notice(visible(message)),
  warning: message => core.warning(visible(message)),
  error: message => core.error(visible(message)),
  group: (title, work) => core.group(visible(title), work),
  untrusted: text => {
    if (text !== '') verbatim(visible(text.replace(/\n$/, '')))
  },
}
