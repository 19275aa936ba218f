import { randomBytes } from 'node:crypto'
import type { TransportResult } from './transport.ts'

/**
 * How a script gets through one ssh call: both go through standard input, nothing of them is in an argument list on
 * either side. The host reads a wrapper and the script by their lengths (`dd` reads no byte too many), gives the rest to
 * the script as its standard input, and says at the end, marked by a random word, how the script ended: an exit code
 * of ssh's own is never taken for the script's. The caller answers with a dot. When the input ends without one, the
 * caller gave up or the connection broke, and the host ends the script with its whole process group.
 */
export interface Exchange {
  /** The command line on the host: the same for all scripts but for one number, in any login shell. */
  readonly command: string
  /** What goes through standard input first. */
  readonly head: Buffer
  readonly mark: string
}

/** Between asking a script to end and killing it, in seconds. */
const graceSeconds = 2

/** @param inputBytes how much of standard input after `head` is for the script */
export function exchangeOf(script: string, inputBytes: number): Exchange {
  const mark = randomBytes(16).toString('hex')
  // The mark at its end shows that it came whole: half a script must not run.
  const sent = Buffer.from(`${script}\n#${mark}`)
  const wrapper = Buffer.from(`mark=${mark}
script=$(dd bs=1 count=${sent.length} 2>/dev/null)
case $script in *"#$mark") ;; *) exit 1 ;; esac
trap : TERM
{
  trap '' TERM
  ${inputBytes === 0 ? '' : `head -c ${inputBytes}`}
  exec >/dev/null
  [ "$(head -c 1)" = . ] || { kill -s TERM 0; sleep ${graceSeconds}; kill -s KILL 0; }
} | {
  trap : TERM
  SCRIPT=$script /bin/sh -c 'exec 2>&1; script=$SCRIPT; unset SCRIPT; eval "$script"'
  printf '\\n%s %s\\n' "$mark" $?
}
`)
  return {
    command: `exec /bin/sh -c 'eval "$(dd bs=1 count=${wrapper.length} 2>/dev/null)"'`,
    head: Buffer.concat([wrapper, sent]),
    mark,
  }
}

export interface ReplyReader {
  /** Takes the next bytes, cut anywhere. */
  add(chunk: Uint8Array): void
  /** How the script ended and the first part of what it printed; undefined until it said so. */
  ended(): TransportResult | undefined
  /** The first part of what came so far. */
  soFar(): string
}

/** Reads what a script prints up to its mark; keeps the first `limit` bytes. */
export function replyReader(mark: string, limit: number): ReplyReader {
  const kept: Buffer[] = []
  const end = new RegExp(String.raw`\n${mark} (\d{1,3})\n`)
  /** The last bytes, as far as they may be the beginning of the mark. */
  let carry = ''
  let seen = 0
  let room = limit
  let result: TransportResult | undefined
  const text = (bytes: number): string => new TextDecoder().decode(Buffer.concat(kept).subarray(0, bytes))
  return {
    add(chunk) {
      if (result !== undefined) return
      const bytes = Buffer.from(chunk)
      if (room > 0) kept.push(bytes.subarray(0, room))
      room -= bytes.length
      const window = carry + bytes.toString('latin1')
      const found = end.exec(window)
      if (found !== null) {
        const printed = seen - carry.length + found.index
        result = { exitCode: Number(found[1]), output: text(Math.min(printed, limit)) }
      }
      seen += bytes.length
      carry = window.slice(-(mark.length + 6))
    },
    ended: () => result,
    soFar: () => text(limit),
  }
}
