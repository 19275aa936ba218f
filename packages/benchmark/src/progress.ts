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
  let batchSize: number | undefined
  let wallMs = 0
  return event => {
    switch (event.event) {
      case 'environment':
        return event.importSeconds === null
          ? undefined
          : `PyTorch loaded in ${formatDuration(event.importSeconds * 1000)}`
      case 'plan':
        batchSize = event.actual.batchSize
        wallMs = 0
        return planned(event)
      case 'batch-halved':
        return `A batch of ${event.from} does not fit into memory: trying ${event.to}`
      case 'warmup':
        return tells(event) ? `Warm-up: step ${event.step} of ${event.of}, ${formatDuration(event.stepMs)}` : undefined
      case 'block':
        wallMs += event.wallMs
        return `Block ${event.index} of ${event.of}: ${speed(event, batchSize)}${left(event, wallMs)}`
      default:
        return undefined
    }
  }
}

function planned({ actual }: EventOf<'plan'>): string {
  const { mode, batchSize, imageSize, precision, memoryFormat, blocks, stepsPerBlock } = actual
  const what = mode === 'train' ? 'training' : 'inference'
  return `ResNet-50 ${what}: batch ${batchSize}, ${imageSize} px, ${precision}, ${memoryFormat}; ${blocks} blocks of ${stepsPerBlock} ${stepsPerBlock === 1 ? 'step' : 'steps'}`
}

const speed = (block: EventOf<'block'>, batchSize: number | undefined): string =>
  batchSize === undefined ? 'done' : `${formatThroughput(blockThroughput(block.stepMs, batchSize))} images/s`

/** Blocks are equal, so those to come take as long as those that were. */
const left = ({ index, of }: EventOf<'block'>, wallMs: number): string =>
  index < of && index > 0 ? `, about ${formatDuration((wallMs / index) * (of - index))} left` : ''
