import type { PreflightWish } from './preflight.ts'
import type { Asked } from './result.ts'
import type { Sizes } from './wish.ts'
import type { preflightNeeds, profileNames } from './words.ts'

export type ProfileName = (typeof profileNames)[number]

/** One more run on the same host, besides the one that the outputs are of. */
export interface FurtherRun {
  /** Its record is `result-<name>.json`. */
  readonly name: string
  readonly asked: Partial<Pick<Asked, 'mode' | 'compile'>>
}

export interface Profile {
  /** For a person: what it measures. */
  readonly about: string
  /** For a person: what its verdict may be used for. */
  readonly verdict: string
  readonly sizes: Sizes
  /** In place of those where `allow-cpu` lets the CPU be measured: its steps take a hundred times as long. */
  readonly onCpu: Sizes
  /** What is checked first where nothing is asked for. */
  readonly preflight: { readonly need: (typeof preflightNeeds)[number]; readonly level: PreflightWish['level'] }
  readonly further: readonly FurtherRun[]
}

/** The protocol: ten blocks of twenty steps. On a CPU ten blocks of ten, of a batch that takes a fraction of a second. */
const protocol = {
  sizes: { epochs: 1, stepsPerEpoch: 200, batchSize: 128, imageSize: 224 },
  onCpu: { epochs: 1, stepsPerEpoch: 100, batchSize: 8, imageSize: 64 },
} as const

/** Each set of arguments, written here only. */
export const profiles: Readonly<Record<ProfileName, Profile>> = {
  quick: {
    about: 'Five blocks of ten steps: at most a minute on a GPU, once PyTorch is loaded.',
    verdict:
      'Smoke: it shows that the machine trains, and at about which speed. Too short for a history; use it for no comparison.',
    sizes: { epochs: 1, stepsPerEpoch: 50, batchSize: 128, imageSize: 224 },
    onCpu: { epochs: 1, stepsPerEpoch: 10, batchSize: 4, imageSize: 64 },
    preflight: { need: 'off', level: 'quick' },
    further: [],
  },
  standard: {
    about: 'The protocol: ten blocks of twenty steps of training.',
    verdict: 'A history of hosts, and a comparison with it. On a CPU it shows the way only: runs differ by 6 % there.',
    ...protocol,
    preflight: { need: 'warn', level: 'quick' },
    further: [],
  },
  full: {
    about: 'The protocol, and then the same compiled, and inference: three runs.',
    verdict:
      'As `standard`, for the first run. The others are histories of their own: their environment keys differ by mode and compile.',
    ...protocol,
    preflight: { need: 'warn', level: 'all' },
    further: [
      { name: 'compiled', asked: { compile: true } },
      { name: 'inference', asked: { mode: 'inference' } },
    ],
  },
}

/**
 * What a profile means together with the sizes that were given: those hold on every device.
 * @returns sizes for the run, and those that a CPU gets instead
 */
export function sizesOf(
  name: ProfileName,
  given: { readonly [Name in keyof Sizes]?: number | undefined },
): { readonly sizes: Sizes; readonly onCpu: Partial<Sizes> } {
  const { sizes, onCpu } = profiles[name]
  const explicit = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const small = Object.fromEntries(Object.entries(onCpu).filter(([size]) => !(size in explicit)))
  return { sizes: { ...sizes, ...explicit }, onCpu: small }
}

/**
 * What is checked before the first run of a profile.
 * @param asked `profile` takes the profile's own
 */
export function preflightOf(
  name: ProfileName,
  asked: (typeof preflightNeeds)[number] | 'profile',
): PreflightWish | undefined {
  const { need, level } = profiles[name].preflight
  const wanted = asked === 'profile' ? need : asked
  return wanted === 'off' ? undefined : { need: wanted, level }
}

/** The further runs of a profile, without one that would repeat the first. */
export const furtherRuns = (name: ProfileName, first: Pick<Asked, 'mode' | 'compile'>): readonly FurtherRun[] =>
  profiles[name].further.filter(
    ({ asked }) => (asked.mode ?? first.mode) !== first.mode || (asked.compile ?? first.compile) !== first.compile,
  )
