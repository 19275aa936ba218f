import { median } from 'simple-statistics'
import type { Block } from '../result.ts'
import { minimumBlocks, unsteadiness } from '../statistics.ts'
import { driftOf, largestStepOf, shiftOf } from '../statistics/drift.ts'
import type { RunToJudge, ThrottledMicroseconds } from './conditions.ts'

/** One reason not to use a run's figures, as a sentence; null when it does not apply. What is not known is no reason. */
export type ValidityRule = (run: RunToJudge) => string | null

/** A run that did not end by itself has no figures; a spot machine that was taken back says so. */
export const interrupted: ValidityRule = ({ status, conditions }) => {
  if (status === 'completed') return null
  return conditions.spotNotice || status === 'interrupted'
    ? `The run did not complete (${status}): the spot machine was taken back.`
    : `The run did not complete (${status}).`
}

/** An interval needs five blocks (protocol 1, step 6). */
export const tooShort: ValidityRule = ({ blocks }) =>
  blocks.length >= minimumBlocks
    ? null
    : `There are only ${blocks.length} blocks; an interval needs at least ${minimumBlocks}.`

/** torch.utils.benchmark calls an interquartile range of 25 % of the median a significant environmental influence. */
const unsteady = 0.25

/** Steps of one run that differ too much. */
export const unstable: ValidityRule = ({ blocks }) => {
  const spread = unsteadiness(blocks.flatMap(block => block.stepMs))
  return spread !== null && spread > unsteady
    ? `The steps were unsteady: their interquartile range is ${percent(spread)} of their median, more than ${percent(unsteady)}. Something else used the host.`
    : null
}

/**
 * Blocks of an undisturbed run differ by less than this. On a GPU 2 %: its steps vary by at most 0.5 % (protocol 6), and
 * it is the least loss that a verdict speaks of. On a CPU 25 %, as torch.utils.benchmark has it: blocks on a shared
 * machine with two cores differ by 7 % (protocol 15). Simulated, 20,000 runs of 5 to 20 normal blocks: of honest runs at
 * most 0.34 % (CPU, 7 %) and 0.06 % (GPU, 0.5 %) are called changed; with 21 % on a CPU it were 1.1 %.
 */
const leastChange = { gpu: 0.02, cpu: 0.25 } as const
/** And by less than this many standard deviations of the steps within a block, where those are noisier still. */
const stepDeviations = 3
/** Interquartile range of a normal distribution, in standard deviations. */
const quartilesToDeviation = 1.349

/** What moved in one direction is called a jump when one step makes up more than this share of it. */
const mostOfChange = 0.5

/** The level moved within the run: it jumped at a block, or went steadily in one direction. */
export const drifting: ValidityRule = ({ blocks, conditions }) => {
  const times = blocks.map(({ stepMs }) => median([...stepMs]))
  const [drift, shift] = [driftOf(times), shiftOf(times)]
  if (drift === null || shift === null) return null
  const floor = conditions.backend === 'cuda' || conditions.backend === 'hip' ? leastChange.gpu : leastChange.cpu
  const limit = Math.max(floor, stepDeviations * quieterDeviation(blocks, shift.at))
  const jumped = Math.max(shift.ratio, 1 / shift.ratio) - 1 > limit
  const drifted = drift.significant && Math.abs(drift.total) > limit
  const step = largestStepOf(times)
  if (jumped && (!drifted || (step !== null && step.share > mostOfChange))) {
    const at = drifted && step !== null ? step.at : shift.at
    const ratio = median(times.slice(at)) / median(times.slice(0, at))
    return `From block ${at + 1} of ${blocks.length} on, steps took ${howManyTimes(ratio)} as long as before. Something else used the host, or the device changed its speed.`
  }
  return drifted
    ? `The steps became ${drift.total > 0 ? 'slower' : 'faster'} all along: by ${percent(Math.abs(drift.total))} from the first block to the last, more than ${percent(limit)}.`
    : null
}

/** How much steps differ within a block, on the quieter side of a jump: what comes with a disturbance excuses none. */
function quieterDeviation(blocks: readonly Block[], at: number): number {
  const deviations = blocks.map(({ stepMs }) => (unsteadiness(stepMs) ?? 0) / quartilesToDeviation)
  return Math.min(median(deviations.slice(0, at)), median(deviations.slice(at)))
}

/** Protocol 9.2: shares of the timed part above which a throttled GPU fails. */
const throttleLimits: readonly {
  readonly counter: keyof ThrottledMicroseconds
  readonly share: number
  readonly words: string
}[] = [
  { counter: 'hardwareSlowdown', share: 0.001, words: 'slowed down by its hardware' },
  { counter: 'hardwareThermal', share: 0.001, words: 'slowed down by its hardware because it was hot' },
  { counter: 'powerBrake', share: 0.001, words: 'slowed down by the power brake' },
  { counter: 'softwareThermal', share: 0.01, words: 'slowed down by its driver because it was hot' },
]

/** Exact, from the driver's counters (protocol 10.2); the software power cap is how such GPUs work and no doubt. */
export const throttled: ValidityRule = ({ conditions }) => {
  const { throttled: counters, timedSeconds } = conditions
  if (counters === null || timedSeconds === null || timedSeconds <= 0) return null
  const found = throttleLimits.flatMap(({ counter, share, words }) => {
    const seen = (counters[counter] ?? 0) / (timedSeconds * 1e6)
    return seen > share ? [`${words} for ${percent(seen)} of the timed part (more than ${percent(share)})`] : []
  })
  return found.length === 0 ? null : `The GPU was ${found.join(', and ')}.`
}

/** Any uncorrected memory error, any Xid in the timed part (protocol 8.3 and 9.2). */
export const gpuErrors: ValidityRule = ({ conditions: { eccUncorrected, xids } }) => {
  const errors = [
    ...(eccUncorrected !== null && eccUncorrected > 0 ? [`${eccUncorrected} uncorrected memory errors`] : []),
    ...(xids === null || xids.length === 0 ? [] : [`Xid ${[...new Set(xids)].join(', ')}`]),
  ]
  return errors.length === 0 ? null : `The GPU reported errors during the timed part: ${errors.join('; ')}.`
}

/** Another program on the GPU ends a run (protocol 1, step 0). */
export const foreignGpuLoad: ValidityRule = ({ conditions: { foreignGpuProcesses } }) =>
  foreignGpuProcesses !== null && foreignGpuProcesses > 0
    ? `${foreignGpuProcesses === 1 ? 'Another process' : `${foreignGpuProcesses} other processes`} used the GPU.`
    : null

/**
 * Others may take this share of the host's CPUs. A CPU run loses that speed at once; a GPU run needs its CPUs less, but
 * steps of one process are launched by one core. Twice what an idle image's own services take at their worst is far
 * below; one burner too many on each core is far above (own: 50 to 97 %).
 */
const foreignShare = { cpu: 0.25, gpu: 0.5 } as const

/** Other programs on the host, from its CPU telemetry. */
export const foreignCpuLoad: ValidityRule = ({ conditions: { foreignCpuShare, backend } }) => {
  const limit = backend === 'cpu' ? foreignShare.cpu : foreignShare.gpu
  return foreignCpuShare !== null && foreignCpuShare > limit
    ? `Other programs used ${percent(foreignCpuShare)} of the host's CPUs, more than ${percent(limit)}.`
    : null
}

/** A loss that did not fall by this much within a block of its own batch was not learning (protocol: 30 %). */
const fallen = 0.7
/** Blocks shorter than this say nothing about learning: momentum makes the loss overshoot first. */
const stepsToLearn = 20

/** What ran must have been training (protocol 1, step 7). */
export const learned: ValidityRule = ({ mode, blocks }) => {
  if (mode !== 'train') return null
  if (blocks.some(block => block.lossFirst === null || block.lossLast === null)) {
    return 'The loss was not finite: what ran was no training.'
  }
  return blocks.some(block => block.stepMs.length >= stepsToLearn && !fell(block))
    ? 'The loss did not fall on a fixed batch: what ran was no training.'
    : null
}

const fell = ({ lossFirst, lossLast }: Block): boolean =>
  lossFirst !== null && lossLast !== null && lossLast < fallen * lossFirst

const percent = (share: number): string => `${Number((share * 100).toPrecision(2))} %`

const howManyTimes = (ratio: number): string => `${ratio.toFixed(ratio < 10 ? 2 : 0)} times`
