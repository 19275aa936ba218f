import { formatDuration, runUrl } from '@gpu-actions/action-kit'
import {
  attemptsOf,
  attemptsRecord,
  createLauncher,
  formatUsd,
  leaseRecord,
  mayHaveMachine,
  words,
  type Attempt,
  type Launched,
  type Launcher,
  type Lease,
} from '@gpu-actions/lease'
import { attemptTable, readyTable } from './describe.ts'
import { endEarly } from './end.ts'
import type { Setting } from './setting.ts'
import { provisionState } from './state.ts'
import { watch } from './watch.ts'
import { MachineEnded, waitUntilGpusAnswer, waitUntilReachable, waitUntilRunning } from './wait.ts'

/** One provisioning at work: what is on disk and in the state. */
interface Work {
  readonly setting: Setting
  lease: Lease
  attempts: readonly Attempt[]
}

/** State first, then the run directory: whichever survives, it is there before the call that it is about. */
async function save(work: Work, changes: Partial<Lease>, attempts = work.attempts, succeeded = false): Promise<void> {
  const { runDirectories } = work.setting.context
  const expiresAt = attempts.at(-1)?.expiresAt
  work.lease = { ...work.lease, ...(expiresAt == null ? {} : { expiresAt }), ...changes }
  work.attempts = attempts
  // Each save appends to the state's file, and a wait for capacity makes hundreds of refusals: what leaves nothing to end
  // is not in it, and makes no save of its own. Post then looks for a launch too many, which harms nobody.
  const last = attempts.at(-1)
  if (last === undefined || mayHaveMachine(last)) saveState(work, succeeded)
  const records = runDirectories.open(work.lease.id)
  await Promise.all([
    leaseRecord.write(records, work.lease),
    attemptsRecord.write(records, attemptsOf(work.lease.id, attempts)),
  ])
}

function saveState({ lease, attempts }: Work, succeeded: boolean): void {
  provisionState.save({ lease, attempts: attemptsOf(lease.id, attempts.filter(mayHaveMachine)), succeeded })
}

/** Launches the first offer that can be had and waits for its machine. @throws what made it impossible */
export async function launchAndWait(setting: Setting, lease: Lease): Promise<void> {
  const { context, plan, provider } = setting
  const { clock, inputs, log, signal } = context
  const work: Work = { setting, lease, attempts: [] }
  const launcher = createLauncher(
    {
      provider,
      clock,
      log,
      signal,
      leaseId: lease.id,
      owner: lease.owner,
      deadline: clock.now() + inputs.maxWait,
      expiryOf: offer => setting.expiryOf(offer, work.attempts),
      save: attempts => save(work, {}, attempts),
    },
    plan.offers,
  )
  try {
    await untilUsable(work, launcher)
    await save(work, {}, work.attempts, true)
  } catch (error) {
    // The last refusal, which was not saved when it came.
    if (work.attempts.length > 0) saveState(work, false)
    // A cancelled job has seconds left: its post has minutes. Everything else ends the machine now, not at job end.
    if (!signal.aborted && work.attempts.length > 0) await endEarly(context, work.lease, provider, work.attempts)
    throw error
  } finally {
    if (work.attempts.length > 0) {
      await context.summarize(attemptTable(work.attempts))
    }
  }
}

/** Launches until a machine can be used; one that AWS takes back while it starts is replaced by the next offer. */
async function untilUsable(work: Work, launcher: Launcher): Promise<void> {
  for (;;) {
    const launched = await launcher.next()
    try {
      return await waitForMachine(work, launched)
    } catch (error) {
      if (!(error instanceof MachineEnded) || !error.isCapacity) throw error
      work.setting.context.log.warning(`${error.message}. The next offer is tried.`)
      launcher.drop(launched.offer, 'capacity')
    }
  }
}

function tell(work: Work, { machineId, offer }: Launched): void {
  const { context, plan } = work.setting
  const { inputs, log } = context
  log.info(`Launched ${machineId}: ${words(offer)}. It ends itself at ${work.lease.expiresAt}.`)
  const lives = Date.parse(work.lease.expiresAt) - work.setting.now()
  if (inputs.budget !== undefined && lives < inputs.ttl - 60_000) {
    log.notice(
      `The budget of ${formatUsd(inputs.budget)} pays for ${formatDuration(lives)} of ${machineId}, less than ttl ${formatDuration(inputs.ttl)}: it ends itself at ${work.lease.expiresAt}.`,
    )
  }
  context.setOutput('instance-id', machineId)
  context.setOutput('instance-type', offer.instanceType)
  context.setOutput('aws-region', offer.place.region)
  context.setOutput('availability-zone', offer.zone)
  context.setOutput('market', offer.market)
  context.setOutput('image-id', plan.imageFor(offer).id)
  context.setOutput('price-per-hour', offer.price?.usdPerHour ?? null)
  context.setOutput('expires-at', work.lease.expiresAt)
}

async function waitForMachine(work: Work, launched: Launched): Promise<void> {
  const { context, plan, now } = work.setting
  const { inputs, log } = context
  const { machineId, offer } = launched
  tell(work, launched)
  const { id, name, architecture } = plan.imageFor(offer)
  const earlier = work.lease.machines
  const watched = watch(work.setting, work.lease, launched)
  await save(work, { offer, image: { id, name, architecture } })
  const running = await waitUntilRunning(watched)
  const iso = (): string => new Date(now()).toISOString()
  await save(work, { machines: [...earlier, running], runningAt: iso() })
  log.info(`${machineId} is running in ${running.zone} since ${running.launchedAt}`)
  context.setOutput('private-ip', running.privateIp)
  context.setOutput('public-ip', running.publicIp)
  if (inputs.waitFor !== 'running') {
    await waitUntilReachable(watched)
    await save(work, { reachableAt: iso() })
    log.info(`${machineId} can be reached through Systems Manager`)
  }
  const gpus = inputs.waitFor === 'gpu' ? await waitUntilGpusAnswer(watched, offer.gpu?.count ?? null) : null
  if (gpus !== null) log.info(`${machineId}: ${gpus.count} × ${gpus.name} answer`)
  context.setOutput('gpu-name', gpus?.name ?? null)
  context.setOutput('gpu-count', gpus?.count ?? null)
  await save(work, { readyAt: iso(), gpus })
  const ms = running.launchedAt === null ? 0 : now() - Date.parse(running.launchedAt)
  log.info(`${machineId} was ready ${formatDuration(ms)} after its launch`)
  await context.summarize(readyTable(work.lease, offer, running, runUrl(context.run)))
}
