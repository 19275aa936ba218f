import { formatDuration } from '@gpu-actions/action-kit/ports'
import type { BenchmarkEvent, EventOf } from './events.ts'
import { blockThroughput } from './statistics.ts'

/** `12345.6` → `12,346`, `3.14159` → `3.14`: three digits are enough for a sentence. */
export const formatThroughput = (imagesPerSecond: number): string =>
  imagesPerSecond >= 100
    ? Math.round(imagesPerSecond).toLocaleString('en-US')
    : imagesPerSecond.toLocaleString('en-US', { maximumSignificantDigits: 3 })

/** Tells of the steps of a warm-up that are worth a line. */
const tells = ({ step, of }: EventOf<'warmup'>): boolean => step === 1 || step === of || step % 10 === 0

/** Turns the events of a run, in order, into sentences for the log; undefined where there is nothing to say. */
export function progressTeller(): (event: BenchmarkEvent) => string | undefined {
  let plan: EventOf<'plan'> | undefined
  /** Images of a step of all that run. */
  let images: number | undefined
  let wallMs = 0
  let look: EventOf<'telemetry'> | undefined
  return event => {
    switch (event.event) {
      case 'environment':
        return event.importSeconds === null
          ? undefined
          : `PyTorch loaded in ${formatDuration(event.importSeconds * 1000)}`
      case 'plan': {
        const again = plan?.actual.batchSize === event.actual.batchSize
        plan = event
        images = event.actual.batchSize * event.actual.gpus
        wallMs = 0
        return again ? `All ${event.actual.gpus} GPUs together` : planned(event)
      }
      case 'alone':
        images = plan?.actual.batchSize
        return 'First one GPU alone, to see what each is worth among the others'
      case 'batch-halved':
        return `A batch of ${event.from} does not fit into memory: trying ${event.to}`
      case 'first-step':
        return firstStep(event)
      case 'sanity':
        return learned(event)
      case 'telemetry':
        look = event
        return undefined
      case 'warmup':
        return tells(event) ? `Warm-up: step ${event.step} of ${event.of}, ${formatDuration(event.stepMs)}` : undefined
      case 'block':
        wallMs += event.wallMs
        return `Block ${event.index} of ${event.of}: ${speed(event, images)}${health(look)}${left(event, wallMs)}`
      case 'pair':
        return event.index % 10 === 0 || event.index === event.of
          ? `Pair ${event.index} of ${event.of}: base ${formatDuration(event.baseMs)}, head ${formatDuration(event.headMs)}`
          : undefined
      default:
        return undefined
    }
  }
}

function planned({ actual }: EventOf<'plan'>): string {
  const { mode, batchSize, imageSize, precision, memoryFormat, compile, gpus, blocks, stepsPerBlock } = actual
  const what = mode === 'train' ? 'training' : 'inference'
  const how = compile === null ? '' : ', compiled'
  const where = gpus === 1 ? '' : ` on each of ${gpus} GPUs`
  return `ResNet-50 ${what}: batch ${batchSize}${where}, ${imageSize} px, ${precision}, ${memoryFormat}${how}; ${blocks} blocks of ${stepsPerBlock} ${stepsPerBlock === 1 ? 'step' : 'steps'}`
}

const firstStep = ({ seconds, compileSeconds }: EventOf<'first-step'>): string | undefined =>
  seconds === null
    ? undefined
    : `First step after ${formatDuration(seconds * 1000)}${compileSeconds === null ? '' : `, ${formatDuration(compileSeconds * 1000)} of it compiling`}`

const shownLoss = (loss: number | null): string => (loss === null ? 'not finite' : loss.toPrecision(3))

const learned = ({ steps, lossFirst, lossLast }: EventOf<'sanity'>): string =>
  `On one batch the loss went from ${shownLoss(lossFirst)} to ${shownLoss(lossLast)} in ${steps} steps`

const speed = (block: EventOf<'block'>, images: number | undefined): string =>
  images === undefined ? 'done' : `${formatThroughput(blockThroughput(block.stepMs, images))} images/s`

/** The hottest GPU, and the power of all; nothing of what is not known. */
function health(look: EventOf<'telemetry'> | undefined): string {
  const known = (values: readonly (number | null)[] | undefined): readonly number[] =>
    values?.flatMap(value => (value === null ? [] : [value])) ?? []
  const celsius = known(look?.gpus.map(gpu => gpu.temperatureCelsius))
  const watts = known(look?.gpus.map(gpu => gpu.powerWatts))
  return [
    ...(celsius.length === 0 ? [] : [`${Math.max(...celsius).toFixed(0)} °C`]),
    ...(watts.length === 0 ? [] : [`${watts.reduce((sum, value) => sum + value, 0).toFixed(0)} W`]),
  ]
    .map(text => `, ${text}`)
    .join('')
}

/** Blocks are equal, so those to come take as long as those that were. */
const left = ({ index, of }: EventOf<'block'>, wallMs: number): string =>
  index < of && index > 0 ? `, about ${formatDuration((wallMs / index) * (of - index))} left` : ''

const reasonWords = {
  hardware_slowdown: 'slowed down by its hardware',
  hardware_thermal: 'slowed down by its hardware because it is hot',
  power_brake: 'slowed down by the power brake',
  software_thermal: 'slowed down by its driver because it is hot',
  software_power_cap: 'at its power limit',
} as const satisfies Record<EventOf<'throttled'>['reason'], string>

/** Turns what goes wrong on the host meanwhile into warnings, each once. */
export function alarmTeller(): (event: BenchmarkEvent) => string | undefined {
  const said = new Set<string>()
  return event => {
    const warning = alarmOf(event)
    if (warning === undefined || said.has(warning)) return undefined
    said.add(warning)
    return warning
  }
}

function alarmOf(event: BenchmarkEvent): string | undefined {
  switch (event.event) {
    case 'throttled':
      // How T4, L4, A100 and H100 work all day (protocol 9.2): reported in the record, no alarm.
      if (event.reason === 'software_power_cap') return undefined
      return `GPU ${event.gpu ?? '(which one is not known)'} is ${reasonWords[event.reason]}`
    case 'xid':
      return `The kernel reports Xid ${event.code}${event.gpu === null ? '' : ` of GPU ${event.gpu}`}${event.message === null ? '' : `: ${event.message}`}`
    case 'spot-notice':
      return `The spot machine is taken back (${event.action}${event.time === null ? '' : ` at ${event.time}`}): this run may not complete`
    default:
      return undefined
  }
}
