/** What must not be printed. One for a run: a mask that one step adds holds for every later line. */
export interface Masks {
  /** Masks the value, each of its lines (trimmed, no minimum length), and the usual encodings of both. */
  add(value: string): void
  /** The text with every masked stretch replaced by three asterisks. */
  hide(text: string): string
  /** True when the text holds something masked: such a job output is dropped. */
  touches(text: string): boolean
}

const inXml: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' }

/** GitHub's runner masks these forms of a value too (its ValueEncoders); base64 at each of the three alignments. */
function* formsOf(value: string): Generator<string> {
  yield value
  yield JSON.stringify(value).slice(1, -1)
  // Through UTF-8 first: a lone surrogate has no URI form and would throw.
  yield encodeURIComponent(Buffer.from(value).toString())
  yield value.replace(/[&<>"']/g, character => inXml[character] ?? character)
  const bytes = Buffer.from(value)
  for (const shift of [0, 1, 2]) {
    const rest = bytes.subarray(shift)
    const whole = rest.subarray(0, rest.length - (rest.length % 3))
    if (whole.length > 3) yield whole.toString('base64')
  }
}

function rangesOf(text: string, values: Iterable<string>): { from: number; to: number }[] {
  const found: { from: number; to: number }[] = []
  for (const value of values) {
    for (let from = text.indexOf(value); from >= 0; from = text.indexOf(value, from + 1)) {
      found.push({ from, to: from + value.length })
    }
  }
  return found.sort((a, b) => a.from - b.from)
}

export function createMasks(): Masks {
  const values = new Set<string>()
  return {
    add(value) {
      const lines = value.split(/\r\n|\n|\r/).map(line => line.trim())
      for (const part of [value, value.trim(), ...lines]) {
        if (part !== '') for (const form of formsOf(part)) values.add(form)
      }
    },
    hide(text) {
      const ranges = rangesOf(text, values)
      let shown = ''
      let end = 0
      let masked = false
      for (const { from, to } of ranges) {
        // Ranges that overlap or touch are one: two asterisk groups would tell where a secret ends.
        if (from > end || !masked) shown += `${text.slice(end, from)}***`
        masked = true
        end = Math.max(end, to)
      }
      return shown + text.slice(end)
    },
    touches: text => [...values].some(value => text.includes(value)),
  }
}
