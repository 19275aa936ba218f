import * as v from 'valibot'
import { spotNoticeEntries, telemetryEntries, throttledEntries, words, xidEntries } from './notices.ts'
import { checkEntries, preflightEntries } from './preflight.ts'
import {
  actualSchema,
  aloneSchema,
  blockEntries,
  blockSchema,
  count,
  firstStepSchema,
  later,
  list,
  object,
  positive,
  rankSchema,
  sanitySchema,
  warmupSchema,
} from './raw.ts'
import { telemetrySchema } from './telemetry.ts'

const seconds = v.nullable(v.pipe(v.number(), v.minValue(0)))
const halving = { from: count, to: count }
const loss = v.nullable(v.number())

/** Never a GPU's name on a machine without one. */
const deviceSchema = v.variant('backend', [
  v.object({ backend: v.literal('cpu'), name: v.null() }),
  v.object({ backend: v.picklist(['cuda', 'hip']), name: words }),
])

const variant = v.picklist(['base', 'head'])

const pairEntries = {
  /** Each round has new processes. */
  round: count,
  first: variant,
  /** Milliseconds of the steps of each half. */
  baseMs: positive,
  headMs: positive,
}

/** What a variant of a paired measurement told of itself, each in the order of time. */
const variantSchema = v.object({
  plan: v.pipe(v.array(v.object({ device: deviceSchema, actual: actualSchema })), v.minLength(1)),
  environment: v.pipe(v.array(v.looseObject({ threads: count })), v.minLength(1)),
})

const eventSchema = v.variant('event', [
  v.object({ event: v.literal('start'), program: words, workloadVersion: count }),
  v.looseObject({ event: v.literal('environment'), importSeconds: seconds, threads: count }),
  v.object({ event: v.literal('plan'), device: deviceSchema, actual: actualSchema }),
  v.object({ event: v.literal('batch-halved'), ...halving }),
  v.object({ event: v.literal('alone'), blocks: count }),
  v.object({ event: v.literal('first-step'), ...firstStepSchema.pipe[0].entries }),
  v.object({ event: v.literal('sanity'), steps: count, lossFirst: loss, lossLast: loss, seconds }),
  v.object({ event: v.literal('warmup'), step: count, of: count, stepMs: v.number() }),
  v.object({ event: v.literal('block'), index: count, of: count, ...blockEntries }),
  v.object({
    event: v.literal('result'),
    workload: v.object({ name: words, version: count }),
    actual: actualSchema,
    flags: v.record(v.string(), v.boolean()),
    clock: v.picklist(['device-events', 'monotonic']),
    optimizer: later(words),
    firstStep: later(firstStepSchema),
    sanity: later(sanitySchema),
    warmup: warmupSchema,
    // One that cannot be read costs no result.
    telemetry: v.fallback(later(telemetrySchema), null),
    alone: later(aloneSchema),
    ranks: later(list(rankSchema)),
    blocks: v.pipe(v.array(blockSchema), v.minLength(1)),
    durationSeconds: v.pipe(v.number(), v.minValue(0)),
    peakMemoryBytes: v.nullable(count),
  }),
  v.object({
    event: v.literal('variant'),
    name: variant,
    round: count,
    of: count,
    device: deviceSchema,
    actual: actualSchema,
  }),
  v.object({ event: v.literal('pair'), index: count, of: count, ...pairEntries }),
  v.object({
    event: v.literal('paired-result'),
    workload: v.object({ name: words, version: count }),
    pairSteps: count,
    orderSeed: count,
    variants: v.object({ base: variantSchema, head: variantSchema }),
    pairs: list(object(pairEntries)),
  }),
  v.object({ event: v.literal('telemetry'), ...telemetryEntries }),
  v.object({ event: v.literal('throttled'), ...throttledEntries }),
  v.object({ event: v.literal('xid'), ...xidEntries }),
  v.object({ event: v.literal('spot-notice'), ...spotNoticeEntries }),
  v.object({ event: v.literal('preflight-check'), ...checkEntries }),
  v.object({ event: v.literal('preflight'), ...preflightEntries }),
  v.object({ event: v.literal('error'), kind: words, message: words, faults: v.array(words) }),
])

/** One event of the host program (packages/benchmark/README.md), its keys in camel case. */
export type BenchmarkEvent = v.InferOutput<typeof eventSchema>
export type EventOf<Name extends BenchmarkEvent['event']> = Extract<BenchmarkEvent, { event: Name }>

/** A line that a host printed: an event, or text of whoever else prints there. */
export type Line =
  { readonly kind: 'event'; readonly event: BenchmarkEvent } | { readonly kind: 'text'; readonly text: string }

/** Lower-case snake names become camel case, in depth; names of environment variables stay as they are. */
function camelKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelKeys)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [camel(key), camelKeys(inner)]))
}

const camel = (key: string): string =>
  /^[a-z][a-z0-9]*(_[a-z0-9]+)+$/.test(key) ? key.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()) : key

/** Reads one line; whatever is not exactly an event is text. */
export function readLine(line: string): Line {
  const text: Line = { kind: 'text', text: line }
  // A library that printed without a newline may stand before the event.
  const start = line.indexOf('{"event":')
  if (start < 0) return text
  const found = v.safeParse(eventSchema, camelKeys(parseJson(line.slice(start))))
  return found.success ? { kind: 'event', event: found.output } : text
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** A line longer than this is handed over in pieces, as text: a host must not fill the runner's memory. */
const longestLine = 16 * 1024 * 1024

/** Puts a stream that arrives in any pieces back into lines. */
export interface LineReader {
  /** @returns the lines that `piece` completes */
  push(piece: string): readonly Line[]
  /** @returns the last line where the stream ended without a newline */
  end(): readonly Line[]
}

export function lineReader(): LineReader {
  let rest: string[] = []
  let length = 0
  const take = (): string => {
    const line = rest.join('')
    rest = []
    length = 0
    return line.replace(/\r$/, '')
  }
  return {
    push(piece) {
      const [head = '', ...lines] = piece.split('\n')
      const done: Line[] = []
      const add = (part: string): void => {
        rest.push(part)
        length += part.length
        if (length > longestLine) done.push({ kind: 'text', text: take() })
      }
      add(head)
      for (const line of lines) {
        done.push(readLine(take()))
        add(line)
      }
      return done
    },
    end: () => (length === 0 ? [] : [readLine(take())]),
  }
}
