import type { BenchmarkEvent, EventOf } from './events.ts'

/** What the host program has told so far. */
export interface Told {
  readonly start: EventOf<'start'> | null
  readonly environment: EventOf<'environment'> | null
  readonly plan: EventOf<'plan'> | null
  readonly firstStep: EventOf<'first-step'> | null
  readonly halvings: readonly EventOf<'batch-halved'>[]
  /** The first of several GPUs is measured alone: its blocks are none of the run. */
  readonly alone: boolean
  readonly blocks: readonly EventOf<'block'>[]
  readonly result: EventOf<'result'> | null
  readonly spotNotice: EventOf<'spot-notice'> | null
  readonly throttled: readonly EventOf<'throttled'>[]
  readonly xids: readonly EventOf<'xid'>[]
  readonly error: EventOf<'error'> | null
  /** The last lines that were no events: where a crash says what it was. */
  readonly lastWords: readonly string[]
}

export const nothingTold: Told = {
  start: null,
  environment: null,
  plan: null,
  firstStep: null,
  halvings: [],
  alone: false,
  blocks: [],
  result: null,
  spotNotice: null,
  throttled: [],
  xids: [],
  error: null,
  lastWords: [],
}

const keptWords = 5
/** A host that floods the log must not fill the runner's memory. */
const keptNotices = 1000

/** Adds a line that was no event. */
export const hearText = (told: Told, text: string): Told =>
  text.trim() === '' ? told : { ...told, lastWords: [...told.lastWords, text.trim().slice(0, 300)].slice(-keptWords) }

/** Adds an event. A new plan starts the run over: blocks of a batch that did not fit are not kept. */
export function hear(told: Told, event: BenchmarkEvent): Told {
  switch (event.event) {
    case 'start':
      return { ...told, start: event }
    case 'environment':
      return { ...told, environment: event }
    case 'plan':
      return { ...told, plan: event, blocks: [], alone: false }
    case 'first-step':
      return { ...told, firstStep: event }
    case 'batch-halved':
      return { ...told, halvings: [...told.halvings, event] }
    case 'alone':
      return { ...told, alone: true }
    case 'block':
      return told.alone ? told : { ...told, blocks: [...told.blocks, event] }
    case 'result':
      return { ...told, result: event }
    case 'spot-notice':
      return { ...told, spotNotice: event }
    case 'throttled':
      return { ...told, throttled: [...told.throttled, event].slice(0, keptNotices) }
    case 'xid':
      return { ...told, xids: [...told.xids, event].slice(0, keptNotices) }
    case 'error':
      return { ...told, error: event }
    case 'warmup':
    case 'sanity':
    case 'telemetry':
    case 'preflight-check':
    case 'preflight':
    case 'variant':
    case 'pair':
    case 'paired-result':
      return told
  }
}
