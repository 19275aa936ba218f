/** Where a failure gets its sentence: `what:` of an outside fault, the first argument of a user's. */
const beginnings = /(?:\bwhat: |\bnew UserFault\(\s*|\boutside\(\s*)\[?\s*(['"`])/g

/** A literal of TypeScript up to its end; in a template what is between `${` and `}` is left as it is. */
function literal(source: string, start: number, quote: string): string {
  let depth = 0
  for (let at = start; at < source.length; at++) {
    if (source[at] === '\\') at++
    else if (quote === '`' && source.startsWith('${', at)) {
      depth++
      at++
    } else if (depth > 0 && source[at] === '{') depth++
    else if (depth > 0 && source[at] === '}') depth--
    else if (depth === 0 && source[at] === quote) return source.slice(start, at)
  }
  return source.slice(start)
}

/** The sentences with which failures in a TypeScript source begin, as they are written there. */
export const sentencesOf = (source: string): readonly string[] =>
  [...source.matchAll(beginnings)].map(found => literal(source, found.index + found[0].length, found[1] ?? ''))

/** The parts of a sentence that are the same each time, the longest first. One without any has none. */
export function fixedParts(sentence: string): readonly string[] {
  const parts: string[] = []
  let part = ''
  let depth = 0
  for (let at = 0; at < sentence.length; at++) {
    if (sentence.startsWith('${', at)) {
      if (depth++ === 0) parts.push(part)
      part = ''
      at++
    } else if (depth > 0 && sentence[at] === '{') depth++
    else if (depth > 0 && sentence[at] === '}') depth--
    else if (depth === 0 && sentence[at] === '\\') part += sentence[++at] === 'n' ? '\n' : (sentence[at] ?? '')
    else if (depth === 0) part += sentence[at]
  }
  return [...parts, part]
    .map(text => text.trim())
    .filter(text => /\w{2}/.test(text))
    .sort((one, other) => other.length - one.length)
}

/** Fewer characters than this are no sign that two sentences are the same. */
const telling = 10

/**
 * Whether a quotation, in which `…` stands for what differs, is of a sentence of a source.
 * Always true for a sentence in which next to nothing is fixed: nobody could recognise it.
 */
export function isQuoted(sentence: string, quotations: readonly string[]): boolean {
  const plain = (text: string): string => text.replaceAll('`', '').replace(/^\W+|\W+$/g, '')
  const fixed = fixedParts(sentence)
    .map(plain)
    .filter(part => part.length >= telling)
  const parts = quotations.flatMap(one => one.split('…').map(plain)).filter(part => part.length >= telling)
  return fixed.length === 0 || fixed.some(one => parts.some(part => one.includes(part) || part.includes(one)))
}

const opening = ['}', "'", '"', '`']
const closing = ['${', "'", '"', '`']

/**
 * Whether a source can print a text: it stands there, or the text is put together from pieces of templates and literals
 * that stand there, each up to where its literal or its fixed part ends.
 * @param source the sources as one text
 * @param joined whether the text goes on from another piece, so that it must begin a literal or a fixed part
 */
export function isSaid(text: string, source: string, joined = false): boolean {
  const starts = joined ? opening : ['']
  if (starts.some(start => source.includes(start + text))) return true
  for (let cut = text.length - 1; cut > 0; cut--) {
    const head = text.slice(0, cut)
    const ends = starts.some(start => closing.some(end => source.includes(start + head + end)))
    if (ends && isSaid(text.slice(cut), source, true)) return true
  }
  return false
}
