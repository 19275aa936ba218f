import type { Masks } from './masks.ts'
import type { Conclusion } from './types.ts'

/** Writes the log of one job; every line goes through the masks. */
export interface JobLog {
  step(name: string): void
  endStep(conclusion: Conclusion, milliseconds: number): void
  line(text: string): void
  group(title: string): void
  endGroup(): void
  annotate(level: 'error' | 'warning' | 'notice', text: string): void
  note(text: string): void
}

const colors = {
  error: 31,
  warning: 33,
  notice: 34,
  success: 32,
  failure: 31,
  cancelled: 33,
  skipped: 90,
  dim: 90,
  bold: 1,
}

const marks: Readonly<Record<Conclusion, string>> = { success: '✓', failure: '✗', cancelled: '⊘', skipped: '○' }

/** `0.4 s`, `12 s`, `3 m 07 s`: short, in the unit one would say it in. */
export function formatSeconds(milliseconds: number): string {
  const seconds = milliseconds / 1000
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 60) return `${Math.round(seconds)} s`
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)} m ${String(whole % 60).padStart(2, '0')} s`
}

export interface LogOptions {
  readonly write: (line: string) => void
  readonly masks: Masks
  readonly color: boolean
  /** Set in front of every line where several jobs may write at once. */
  readonly prefix: string
}

export function createJobLog({ write, masks, color, prefix }: LogOptions): JobLog {
  let inGroup = false
  const paint = (name: keyof typeof colors, text: string) => (color ? `\u001B[${colors[name]}m${text}\u001B[0m` : text)
  const head = prefix === '' ? '' : paint('dim', `${prefix} │ `)
  const print = (indent: number, text: string, look: (masked: string) => string = masked => masked) => {
    // One entry may hold several lines (an error with a list); each is masked and indented alike.
    for (const line of masks.hide(text).split(/\r\n|\n|\r/)) write(`${head}${' '.repeat(indent)}${look(line)}`)
  }
  const depth = () => (inGroup ? 6 : 4)
  return {
    step(name) {
      inGroup = false
      print(0, `▸ ${name}`, text => paint('bold', text))
    },
    endStep(conclusion, milliseconds) {
      inGroup = false
      const word = conclusion === 'success' ? '' : `${conclusion}, `
      print(2, `${marks[conclusion]} ${word}${formatSeconds(milliseconds)}`, text => paint(conclusion, text))
    },
    line: text => print(depth(), text),
    group(title) {
      inGroup = false
      print(4, `▾ ${title}`, text => paint('bold', text))
      inGroup = true
    },
    endGroup() {
      inGroup = false
    },
    annotate(level, text) {
      const word = `${level.charAt(0).toUpperCase()}${level.slice(1)}`
      print(depth(), `${word}: ${text}`, line => paint(level, line))
    },
    note: text => print(0, text, line => paint('dim', line)),
  }
}
