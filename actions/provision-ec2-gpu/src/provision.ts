import { formatDuration, runUrl, UserFault, type ActionContext } from '@gpu-actions/action-kit'
import {
  consoleTail,
  ec2Access,
  ec2Provider,
  imageFor,
  lookAt,
  prepareLaunch,
  type AwsClients,
  type Prepared,
} from '@gpu-actions/aws'
import {
  attemptsRecord,
  createLauncher,
  leaseRecord,
  newLeaseId,
  words,
  type Attempt,
  type Intent,
  type Lease,
  type Launched,
  type Launcher,
  type Machine,
  type Owner,
} from '@gpu-actions/lease'
import type { action } from './action.ts'
import { attemptTable, readyTable } from './describe.ts'
import { planLines, showDryRun } from './dry-run.ts'
import { endEarly } from './end.ts'
import type { ProvisionPorts } from './real-ports.ts'
import { provisionState } from './state.ts'
import { MachineEnded, waitUntilGpusAnswer, waitUntilReachable, waitUntilRunning, type Watched } from './wait.ts'
import { wishOf, type ProvisionInputs } from './wish.ts'

export type ProvisionContext = ActionContext<typeof action.inputs, typeof action.outputs>

const iso = (ms: number): string => new Date(ms).toISOString()

/** Everything of one provisioning that its parts share. */
interface Work {
  readonly context: ProvisionContext
  readonly ports: ProvisionPorts
  readonly clients: AwsClients
  readonly prepared: Prepared
  readonly expiresAt: number
  /** What is on disk and in the state. */
  lease: Lease
  attempts: readonly Attempt[]
}

/** Rents a machine and waits until it can be used. Whatever goes wrong, post ends what was launched. */
export async function provision(context: ProvisionContext, ports: ProvisionPorts): Promise<void> {
  const { inputs, log } = context
  const region = inputs.awsRegion ?? ports.environmentRegion
  if (region === undefined) {
    throw new UserFault('provision-ec2-gpu: one input is wrong, nothing was done', [
      'aws-region: is required, because neither AWS_REGION nor AWS_DEFAULT_REGION is set',
    ])
  }
  const clients = ports.clientsFor(region)
  const prepared = await prepareLaunch(clients, wishOf(inputs))
  for (const warning of prepared.warnings) log.warning(warning)
  const work = begin(context, ports, clients, prepared)
  const { lease, expiresAt } = work
  await log.group(`Plan of lease ${lease.id}`, async () => planLines(prepared).forEach(line => log.info(line)))
  const intentFor = (offer: Intent['offer'], token: string, number: number): Intent => ({
    leaseId: lease.id,
    owner: lease.owner,
    number,
    token,
    offer,
    expiresAt,
  })
  if (inputs.dryRun) return showDryRun({ log, clients }, prepared, intentFor, lease.id)
  context.setOutput('lease-id', lease.id)
  context.setOutput('aws-region', region)
  context.setOutput('expires-at', lease.expiresAt)
  await launchAndWait(work)
}

function begin(context: ProvisionContext, ports: ProvisionPorts, clients: AwsClients, prepared: Prepared): Work {
  const { inputs, run } = context
  const owner: Owner = { repository: run.repository, runId: run.runId, attempt: run.attempt, job: run.job }
  // Whole seconds: the tag, the timer in the machine and the output then say the same.
  const now = Math.floor(clients.serviceNow() / 1000) * 1000
  const expiresAt = now + inputs.ttl
  const lease: Lease = {
    schema: 'gpu-actions/lease@1',
    id: newLeaseId(owner, ports.newLeaseSuffix()),
    provider: 'ec2',
    owner,
    places: [{ account: prepared.account, region: clients.region }],
    createdAt: iso(now),
    expiresAt: iso(expiresAt),
    ttlSeconds: Math.floor(inputs.ttl / 1000),
    guestShutdown: 'terminates',
    onJobEnd: inputs.onJobEnd,
    budgetUsd: null,
    image: null,
    offer: null,
    machines: [],
    runningAt: null,
    reachableAt: null,
    readyAt: null,
    waitFor: inputs.waitFor,
    gpus: null,
  }
  return { context, ports, clients, prepared, expiresAt, lease, attempts: [] }
}

/** State first, then the run directory: whichever survives, it is there before the call that it is about. */
async function save(work: Work, changes: Partial<Lease>, attempts = work.attempts, succeeded = false): Promise<void> {
  work.lease = { ...work.lease, ...changes }
  work.attempts = attempts
  const record = { schema: 'gpu-actions/attempts@1', leaseId: work.lease.id, attempts } as const
  provisionState.save({ lease: work.lease, attempts: record, succeeded })
  const records = work.context.runDirectories.open(work.lease.id)
  await Promise.all([leaseRecord.write(records, work.lease), attemptsRecord.write(records, record)])
}

async function launchAndWait(work: Work): Promise<void> {
  const { context, clients, prepared } = work
  const { clock, log, signal } = context
  const provider = ec2Provider(
    ec2Access(region => work.ports.clientsFor(region), clients.region, prepared.account),
    prepared.spec,
  )
  const launcher = createLauncher(
    {
      provider,
      clock,
      log,
      signal,
      leaseId: work.lease.id,
      owner: work.lease.owner,
      deadline: clock.now(),
      expiryOf: () => work.expiresAt,
      save: attempts => save(work, {}, attempts),
    },
    prepared.plan.offers,
  )
  try {
    await untilUsable(work, launcher)
    await save(work, {}, work.attempts, true)
  } catch (error) {
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
      work.context.log.warning(`${error.message}. The next offer is tried.`)
      launcher.drop(launched.offer)
    }
  }
}

function tell(work: Work, { machineId, offer }: Launched): void {
  const { context, prepared } = work
  context.log.info(`Launched ${machineId}: ${words(offer)}. It ends itself at ${work.lease.expiresAt}.`)
  context.setOutput('instance-id', machineId)
  context.setOutput('instance-type', offer.instanceType)
  context.setOutput('availability-zone', offer.zone)
  context.setOutput('market', offer.market)
  context.setOutput('image-id', imageFor(prepared.spec, offer).id)
  context.setOutput('price-per-hour', offer.price?.usdPerHour ?? null)
}

async function waitForMachine(work: Work, launched: Launched): Promise<void> {
  const { context, clients, prepared } = work
  const { inputs, log } = context
  tell(work, launched)
  const { id, name, architecture } = imageFor(prepared.spec, launched.offer)
  const earlier = work.lease.machines
  const watched = watch(work, launched.machineId)
  await save(work, { offer: launched.offer, image: { id, name, architecture } })
  const running = await waitUntilRunning(watched)
  const now = (): string => iso(clients.serviceNow())
  await save(work, { machines: [...earlier, running], runningAt: now() })
  log.info(`${running.id} is running in ${running.zone} since ${running.launchedAt}`)
  context.setOutput('private-ip', running.privateIp)
  context.setOutput('public-ip', running.publicIp)
  if (inputs.waitFor !== 'running') {
    await waitUntilReachable(watched)
    await save(work, { reachableAt: now() })
    log.info(`${running.id} can be reached through Systems Manager`)
  }
  const gpus = inputs.waitFor === 'gpu' ? await waitUntilGpusAnswer(watched, launched.offer.gpu?.count ?? null) : null
  if (gpus !== null) log.info(`${running.id}: ${gpus.count} × ${gpus.name} answer`)
  context.setOutput('gpu-name', gpus?.name ?? null)
  context.setOutput('gpu-count', gpus?.count ?? null)
  await save(work, { readyAt: now(), gpus })
  const seconds = running.launchedAt === null ? 0 : clients.serviceNow() - Date.parse(running.launchedAt)
  log.info(`${running.id} was ready ${formatDuration(seconds)} after its launch`)
  await context.summarize(readyTable(work.lease, launched.offer, running, runUrl(context.run)))
}

function watch(work: Work, id: string): Watched {
  const { context, clients, ports } = work
  const [place] = work.lease.places
  if (place === undefined) throw new Error('a lease without a place')
  const look = (): Promise<Machine | undefined> => lookAt(clients.ec2(), place, id)
  return {
    id,
    clock: context.clock,
    log: context.log,
    signal: context.signal,
    expiresAt: work.expiresAt,
    look,
    register: options => ports.register(clients, id, options),
    diagnose: () => diagnose(work, id, look),
    gpuHost: () => ports.hostFor(clients, id),
  }
}

/** What is known of a machine that does not come, for the person who reads the log. */
async function diagnose(work: Work, id: string, look: () => Promise<Machine | undefined>): Promise<readonly string[]> {
  const { context, clients } = work
  const [machine, console] = await Promise.all([look().catch(() => undefined), consoleTail(clients, id)])
  if (console !== null) {
    await context.log.group(`End of the console of ${id}`, async () => context.log.untrusted(console))
  }
  const profile = profileOf(context.inputs)
  return [
    `EC2 shows it as ${machine?.state ?? 'unknown'}${machine?.stateReason ? ` (${machine.stateReason.code})` : ''}`,
    `Instance profile: ${profile}. Private address: ${machine?.privateIp ?? 'none'}. Public address: ${machine?.publicIp ?? 'none'}`,
    console === null ? 'Its console has shown nothing so far' : 'The end of its console is in the log above',
  ]
}

const profileOf = (inputs: ProvisionInputs): string => inputs.instanceProfileName ?? 'none'
