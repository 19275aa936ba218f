import type { StepPlace, StepProcess } from '@gpu-actions/workflow-runner'
import type { Drill, Moment } from './model.ts'
import type { WireCall, WireWatch } from './wire.ts'
import { stepIds } from './workflow-file.ts'

/** What a death does. */
export interface Weapons {
  cancel(): void
  loseRun(): void
  storm(calls: number): void
  expireCredentials(): Promise<void>
  /** GitHub notices that a runner is lost, and goes on with the other jobs. */
  noticeLoss(): Promise<void>
  log(line: string): void
  /** Milliseconds of the cloud's clock. */
  now(): number
}

/** Strikes once, when the moment comes, and knows how far the victim's lease has come. */
export interface Director extends WireWatch {
  onProcess(process: StepProcess): void
  /** Where the death struck; null when the moment did not come. */
  readonly struckAt: () => Moment | null
  /** When the work was done, in milliseconds of the cloud's clock; null: it was not. */
  readonly workedUntil: () => number | null
  /** The death came by itself, such as a job's time-out: note where. */
  noteStrike(): void
}

const seconds = (count: number): Promise<void> => new Promise(resolve => void setTimeout(resolve, count * 1000))

const nothing: Director['onCall'] = async () => 'pass'

/** Deaths that need nobody to strike: the plan of workflow and cloud holds them. */
const planned = new Set(['nothing', 'step-fails', 'time-out', 'lost-reply', 'outputs-lost', 'results-down'])

export function createDirector({ workflow, strike }: Drill, weapons: Weapons, onStrike: () => void): Director {
  let workedUntil: number | null = null
  const { death, moment } = strike
  const alive = new Map<string, StepProcess>()
  let struckAt: Moment | null = null
  let stage: Moment = 'before-intent'
  let launchCalls = 0

  const victimStep = workflow.layout === 'two-leases' ? stepIds.rent[strike.victim] : stepIds.rent[0]
  const isVictim = ({ jobName, step }: StepPlace): boolean =>
    (workflow.layout !== 'matrix' || jobName.includes(`(${strike.victim + 1})`)) &&
    (step === victimStep || step === stepIds.work || step.startsWith(stepIds.teardown))
  const isRent = (place: StepPlace): boolean => isVictim(place) && place.step === victimStep

  const note = (at: Moment): boolean => {
    if (struckAt !== null) return false
    struckAt = at
    weapons.log(`drill: ${death} strikes (${at})`)
    onStrike()
    return true
  }

  async function hit(place: StepPlace): Promise<void> {
    if (planned.has(death) || !note(moment)) return
    const process = alive.get(keyOf(place))
    switch (death) {
      case 'kill':
        return kill(process)
      case 'cancel':
        return weapons.cancel()
      case 'runner-lost':
        if (strike.wholeRun || process === undefined) return weapons.loseRun()
        process.loseRunner()
        // A call that is under way arrives long before anybody notices.
        return moment === 'in-flight' ? undefined : weapons.noticeLoss()
      case 'throttling':
        return weapons.storm(strike.stormCalls)
      case 'credentials':
        return weapons.expireCredentials()
      default:
    }
  }

  const isLossOfOne = (): boolean => death === 'runner-lost' && !strike.wholeRun

  /** Some time after something, if the process is still there by then. */
  async function hitLater(place: StepPlace): Promise<void> {
    await seconds(strike.delaySeconds)
    if (alive.has(keyOf(place))) await hit(place)
  }

  function enter(process: StepProcess): void {
    const { phase, step } = process
    if (phase === 'main' && isRent(process)) stage = 'before-intent'
    else if (step === stepIds.work) stage = 'working'
    else if (step.startsWith(stepIds.teardown)) stage = 'teardown'
    else if (phase === 'post' && isRent(process)) stage = 'post'
  }

  return {
    struckAt: () => struckAt,
    workedUntil: () => workedUntil,
    noteStrike: () => void note(stage),
    onProcess(process) {
      if (!isVictim(process)) return
      alive.set(keyOf(process), process)
      void process.ended.then(() => {
        alive.delete(keyOf(process))
        if (process.step === stepIds.work) workedUntil = weapons.now()
      })
      enter(process)
      if (moment === stage && !(moment === 'teardown' && strike.atTerminate)) void hitLater(process)
    },
    async onCall(call) {
      if (!isVictim(call.from)) return nothing(call)
      if (isRent(call.from) && call.operation === 'RunInstances' && isReal(call)) {
        launchCalls += 1
        stage = 'in-flight'
        if (launchCalls !== strike.launchCall) return 'pass'
        if (moment === 'intent') {
          await hit(call.from)
          return death === 'throttling' ? 'pass' : 'drop'
        }
        if (moment === 'in-flight') {
          await hit(call.from)
          if (!isLossOfOne()) await seconds(strike.lateSeconds)
        }
      }
      if (call.operation === 'TerminateInstances' && moment === 'teardown' && strike.atTerminate && isTeardown(call)) {
        await hit(call.from)
      }
      return 'pass'
    },
    async onReply(call) {
      if (!isRent(call.from) || call.operation !== 'RunInstances' || !isReal(call)) return
      stage = 'starting'
      if (moment === 'in-flight' && isLossOfOne() && struckAt === moment) await weapons.noticeLoss()
      if (call.status !== 200 || launchCalls < strike.launchCall) return
      if (moment === 'launched') await hit(call.from)
      if (moment === 'starting') void hitLater(call.from)
    },
  }
}

const isTeardown = ({ from }: WireCall): boolean => from.step.startsWith(stepIds.teardown)

const isReal = ({ parameters }: WireCall): boolean => parameters.get('DryRun') !== 'true'

const keyOf = ({ jobName, step, phase }: StepPlace): string => `${jobName}/${step}/${phase}`

function kill(process: StepProcess | undefined): void {
  if (process === undefined) return
  try {
    globalThis.process.kill(process.pid, 'SIGKILL')
  } catch {
    // It has ended by itself at this very moment.
  }
}
