const special = /[.+^${}()|[\]\\]/g

/**
 * Whether a text fits a pattern of AWS's kind: `*` for any characters, `?` for one; a backslash takes their meaning
 * away. Upper and lower case differ, as in EC2's filters.
 */
export const fitsPattern = (pattern: string, text: string): boolean => expressionOf(pattern).test(text)

function expressionOf(pattern: string): RegExp {
  let source = ''
  for (let index = 0; index < pattern.length; index += 1) {
    const character = pattern.charAt(index)
    const next = pattern.charAt(index + 1)
    if (character === '\\' && (next === '*' || next === '?' || next === '\\')) {
      source += `\\${next}`
      index += 1
    } else if (character === '*') source += source.endsWith('[^]*') ? '' : '[^]*'
    else if (character === '?') source += '[^]'
    else source += character.replace(special, String.raw`\$&`)
  }
  return new RegExp(`^${source}$`)
}

/** Whether a text fits one of these patterns, for use on many texts. */
export function fitsOneOf(patterns: readonly string[]): (text: string) => boolean {
  const plain = new Set(patterns.filter(pattern => !/[*?\\]/.test(pattern)))
  const others = patterns.filter(pattern => !plain.has(pattern)).map(expressionOf)
  return text => plain.has(text) || others.some(expression => expression.test(text))
}
