/** How hosts differ where nothing about the code has changed. Levels are around 1. */
export interface NoiseModel {
  readonly name: string
  /** Spread of ordinary hosts, as a share. */
  readonly cv: number
  /** Unimodal noise must meet the strict targets; two kinds of hosts and a moving level the lenient one. */
  readonly kind: 'unimodal' | 'two-kinds' | 'moving'
  /** A fleet: hosts in order of time. `next` after the history are the fresh hosts of one day. */
  readonly fleet: (draw: Draw, history: number) => Fleet
}

export interface Fleet {
  readonly history: readonly number[]
  readonly next: () => number
}

/** Random numbers of the models. */
export interface Draw {
  /** In [0, 1). */
  uniform(): number
  /** Standard normal. */
  normal(): number
}

/** 38 to 39 H100 hosts of one image: one lay 3.85 % low (protocol 6). */
const slowShare = 0.026
const slowBy = 0.038

type Host = (draw: Draw) => number

const independent =
  (host: Host): NoiseModel['fleet'] =>
  (draw, history) => ({ history: Array.from({ length: history }, () => host(draw)), next: () => host(draw) })

const normal =
  (cv: number): Host =>
  draw =>
    1 + cv * draw.normal()

const withSlowHosts =
  (host: Host): Host =>
  draw =>
    host(draw) * (draw.uniform() < slowShare ? 1 - slowBy : 1)

const twoKinds =
  (cv: number, share: number, gap: number): Host =>
  draw =>
    (1 + cv * draw.normal()) * (draw.uniform() < share ? 1 - gap : 1)

/** The level moves with each run of the history; all hosts of the day that is judged share its level. */
const moving =
  (cv: number, levels: (draw: Draw, count: number) => readonly number[]): NoiseModel['fleet'] =>
  (draw, history) => {
    const level = levels(draw, history + 1)
    const today = level[history] ?? 1
    return {
      history: level.slice(0, history).map(value => value * (1 + cv * draw.normal())),
      next: () => today * (1 + cv * draw.normal()),
    }
  }

const falling =
  (perRun: number) =>
  (_: Draw, count: number): readonly number[] =>
    Array.from({ length: count }, (_value, index) => 1 - perRun * index)

/** Quiet for long, then the whole loss within the newest runs. */
const fallingLately =
  (by: number, runs: number) =>
  (_: Draw, count: number): readonly number[] =>
    Array.from({ length: count }, (_value, index) => 1 - by * Math.max(0, 1 - (count - 1 - index) / runs))

const stepping =
  (by: number, runs: number) =>
  (_: Draw, count: number): readonly number[] =>
    Array.from({ length: count }, (_value, index) => (index < count - 1 - runs ? 1 : 1 - by))

const walking =
  (step: number) =>
  (draw: Draw, count: number): readonly number[] => {
    let level = 1
    return Array.from({ length: count }, () => (level *= 1 + step * draw.normal()))
  }

const swinging =
  (by: number, period: number) =>
  (draw: Draw, count: number): readonly number[] => {
    const start = draw.uniform() * period
    return Array.from({ length: count }, (_value, index) => 1 + by * Math.sin((2 * Math.PI * (start + index)) / period))
  }

/** Student's t with three degrees of freedom: one host in 70 lies beyond 3.5 robust deviations. */
const heavy: Host = draw => {
  const chi = draw.normal() ** 2 + draw.normal() ** 2 + draw.normal() ** 2
  return 1 + (0.004 * draw.normal()) / Math.sqrt(chi / 3)
}

/** A CPU shared with others: mostly a little slower than it could be, sometimes much (protocol 15: CV 6 to 11 %). */
const cpuBound: Host = draw =>
  (1 + 0.03 * draw.normal()) * (1 + (0.05 * Math.log((1 - draw.uniform()) * (1 - draw.uniform()))) / 1.5)

const unimodal = (name: string, cv: number, fleet: NoiseModel['fleet']): NoiseModel => ({
  name,
  cv,
  kind: 'unimodal',
  fleet,
})

/** The models of the protocol (6, 8.2, 15). */
export const noiseModels: readonly NoiseModel[] = [
  ...[0.0012, 0.005, 0.01, 0.02, 0.04, 0.06].map(cv =>
    unimodal(`CV ${cv * 100} %, slow hosts`, cv, independent(withSlowHosts(normal(cv)))),
  ),
  unimodal('CV 0.5 %, all alike', 0.005, independent(normal(0.005))),
  unimodal('heavy tails', 0.007, independent(heavy)),
  unimodal('outlier host in the history', 0.005, (draw, history) => {
    const { history: hosts, next } = independent(normal(0.005))(draw, history)
    const at = Math.floor(draw.uniform() * history)
    return { history: hosts.map((value, index) => (index === at ? value * 0.85 : value)), next }
  }),
  unimodal('CPU-bound, skewed', 0.055, independent(cpuBound)),
  ...[
    [0.15, 0.04],
    [0.2, 0.04],
    [0.3, 0.04],
    [0.5, 0.04],
    [0.1, 0.12],
    [0.3, 0.12],
    [0.45, 0.12],
    [0.3, 0.025],
  ].map(([share = 0, gap = 0]): NoiseModel => ({
    name: `two kinds: ${share * 100} % are ${gap * 100} % slow`,
    cv: 0.003,
    kind: 'two-kinds',
    fleet: independent(twoKinds(0.003, share, gap)),
  })),
  { name: 'drift: −0.1 % a run', cv: 0.003, kind: 'moving', fleet: moving(0.003, falling(0.001)) },
  { name: 'drift: −0.2 % a run', cv: 0.003, kind: 'moving', fleet: moving(0.003, falling(0.002)) },
  { name: 'drift: −0.4 % a run', cv: 0.003, kind: 'moving', fleet: moving(0.003, falling(0.004)) },
  {
    name: 'fall of 3 % over the newest 8 runs',
    cv: 0.003,
    kind: 'moving',
    fleet: moving(0.003, fallingLately(0.03, 8)),
  },
  {
    name: 'step of −3 % that is 4 runs old',
    cv: 0.003,
    kind: 'moving',
    fleet: moving(0.003, stepping(0.03, 4)),
  },
  { name: 'random walk, 0.3 % a run', cv: 0.003, kind: 'moving', fleet: moving(0.003, walking(0.003)) },
  { name: 'random walk, 0.6 % a run', cv: 0.003, kind: 'moving', fleet: moving(0.003, walking(0.006)) },
  { name: 'swing of ±1.5 % in 30 runs', cv: 0.003, kind: 'moving', fleet: moving(0.003, swinging(0.015, 30)) },
]

/** @param uniform in [0, 1) */
export function drawing(uniform: () => number): Draw {
  let spare: number | null = null
  const pair = (): number => {
    const [radius, angle] = [Math.sqrt(-2 * Math.log(1 - uniform())), 2 * Math.PI * uniform()]
    spare = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }
  return {
    uniform,
    normal: () => {
      if (spare === null) return pair()
      const value = spare
      spare = null
      return value
    },
  }
}
