import { format } from 'prettier'
import type { ActionDefinition } from '@gpu-actions/action-kit'

/** Rows of cells, the first one the head, as a Markdown table in prettier's form. */
export function markdownTable(rows: readonly (readonly string[])[]): Promise<string> {
  const [head = [], ...body] = rows
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`
  return format([line(head), line(head.map(() => '---')), ...body.map(line)].join('\n'), { parser: 'markdown' })
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ')

/** The table of an action's inputs. */
export const inputTable = ({ inputs }: ActionDefinition): Promise<string> =>
  markdownTable([
    ['input', 'default', 'what it is'],
    ...Object.entries(inputs).map(([id, { about, fallback, required }]) => [
      `\`${id}\``,
      required ? '**required**' : fallback === undefined ? '' : `\`${fallback}\``,
      about,
    ]),
  ])

/** The table of an action's outputs. */
export const outputTable = ({ outputs }: ActionDefinition): Promise<string> =>
  markdownTable([['output', 'what it is'], ...Object.entries(outputs).map(([id, about]) => [`\`${id}\``, about])])

/**
 * Puts `content` between `<!-- name -->` and `<!-- /name -->`; what stands around them is written by hand.
 * @throws Error when the text has not exactly one such pair
 */
export function between(text: string, name: string, content: string): string {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const [before, rest, ...more] = text.split(open)
  const [, after, ...moreEnds] = (rest ?? '').split(close)
  if (before === undefined || after === undefined || more.length > 0 || moreEnds.length > 0) {
    throw new Error(`needs the markers ${open} and ${close}, once and in this order`)
  }
  return `${before}${open}\n\n${content.trim()}\n\n${close}${after}`
}
