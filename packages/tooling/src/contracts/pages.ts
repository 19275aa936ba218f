import { posix } from 'node:path'

/** A fenced block of code of a Markdown page. */
export interface CodeBlock {
  /** What stands behind the fence, such as `sh`; empty without. */
  readonly language: string
  /** The line of the fence, from 1. */
  readonly line: number
  readonly text: string
}

export interface Page {
  readonly blocks: readonly CodeBlock[]
  /** The page line by line, with empty lines in place of blocks. */
  readonly prose: readonly string[]
}

/** What a fence at the start of a line is: its indent, its marks, its language. */
const fence = /^( *)(`{3,}|~{3,})\s*([^\s`]*)/

/** Takes a Markdown page apart. A block that is never closed goes on to the end, as on GitHub. */
export function readPage(markdown: string): Page {
  const blocks: CodeBlock[] = []
  const prose: string[] = []
  let open: { readonly indent: number; readonly marks: string; readonly block: CodeBlock; lines: string[] } | undefined
  const close = (): void => {
    if (open !== undefined) blocks.push({ ...open.block, text: open.lines.map(line => `${line}\n`).join('') })
    open = undefined
  }
  for (const [index, line] of markdown.split('\n').entries()) {
    const [, indent = '', marks = '', language = ''] = fence.exec(line) ?? []
    if (open !== undefined) {
      if (marks.startsWith(open.marks) && line.trim() === marks) close()
      else open.lines.push(line.slice(Math.min(open.indent, line.length - line.trimStart().length)))
      prose.push('')
    } else if (marks !== '') {
      open = { indent: indent.length, marks, block: { language, line: index + 1, text: '' }, lines: [] }
      prose.push('')
    } else prose.push(line)
  }
  close()
  return { blocks, prose }
}

/** The texts between backticks in a line. */
export const codeSpans = (line: string): readonly string[] =>
  [...line.matchAll(/(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)/g)].map(([, , text = '']) => text.trim())

const withoutCode = (line: string): string => line.replace(/(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)/g, '`')

/** The name that GitHub gives to a heading, before it tells equal ones apart. */
const slug = (heading: string): string =>
  heading
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/<[^>]*>/g, '')
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-')

/** What `#…` may name on a page: its headings, and the anchors that were set by hand. */
export function anchorsOf(markdown: string): ReadonlySet<string> {
  const anchors = new Set<string>()
  for (const line of readPage(markdown).prose) {
    const [, heading] = /^ {0,3}#{1,6}\s+(.*?)(?:\s+#+)?\s*$/.exec(line) ?? []
    if (heading !== undefined) {
      const name = slug(heading)
      let own = name
      for (let count = 1; anchors.has(own); count++) own = `${name}-${count}`
      anchors.add(own)
    }
    for (const [, id = ''] of withoutCode(line).matchAll(/<\w+\s[^>]*\b(?:id|name)="([^"]+)"/g)) anchors.add(id)
  }
  return anchors
}

/** Where the links and images of a page lead, with the line of each. */
export function linksOf(markdown: string): readonly { readonly line: number; readonly target: string }[] {
  const forms = [/\]\(\s*<?([^)\s>]+)/g, /^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)/g, /\b(?:href|src)="([^"]+)"/g]
  return readPage(markdown).prose.flatMap((text, index) =>
    forms.flatMap(form =>
      [...withoutCode(text).matchAll(form)].map(([, target = '']) => ({ line: index + 1, target })),
    ),
  )
}

/** The files that links may lead to. Paths are relative to the repository, with `/`. */
export interface Files {
  exists(path: string): boolean
  read(path: string): string
}

/** What is wrong with the links of a page that stay in the repository, one sentence each. */
export function faultsOfLinks(page: string, files: Files): readonly string[] {
  return linksOf(files.read(page)).flatMap(({ line, target }) => {
    if (/^([a-z][a-z0-9+.-]*:|\/\/)/i.test(target)) return []
    const fault = faultOfLink(page, target, files)
    return fault === undefined ? [] : [`line ${line}: ${target}: ${fault}`]
  })
}

function faultOfLink(page: string, target: string, files: Files): string | undefined {
  const [path = '', anchor] = decodeURIComponent(target).split('#')
  if (path.startsWith('/')) return 'does not begin at the page'
  const file = path === '' ? page : posix.join(posix.dirname(page), path)
  if (file.startsWith('..')) return 'leads out of the repository'
  if (!files.exists(file)) return 'there is no such file'
  if (anchor === undefined) return undefined
  if (!file.endsWith('.md')) return 'names a heading in what is no page'
  return anchorsOf(files.read(file)).has(anchor) ? undefined : 'the page has no such heading'
}
