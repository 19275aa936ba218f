const special = /[.+^${}()|[\]\\]/g

/**
 * Whether a text fits a pattern of AWS's kind: `*` for any characters, `?` for one; a backslash takes their meaning
 * away. Upper and lower case differ, as in EC2's filters.
 */
export function fitsPattern(pattern: string, text: string): boolean {
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
  return new RegExp(`^${source}$`).test(text)
}
