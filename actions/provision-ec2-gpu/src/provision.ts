import { OutsideFault, UserFault } from '@gpu-actions/action-kit'
import { ec2Access, ec2Provider, type Ec2Plan } from '@gpu-actions/aws'
import {
  effectiveTtl,
  newLeaseId,
  spentMicros,
  toMicros,
  toUsd,
  words,
  type Attempt,
  type Intent,
  type Lease,
  type Offer,
  type Owner,
  type Place,
} from '@gpu-actions/lease'
import { planLines, planTable } from './describe-plan.ts'
import { showDryRun } from './dry-run.ts'
import { launchAndWait } from './launching.ts'
import type { ProvisionPorts } from './real-ports.ts'
import type { ProvisionContext, Setting } from './setting.ts'
import { regionsOf, wishOf } from './wish.ts'

/** Rents a machine and waits until it can be used. Whatever goes wrong, post ends what was launched. */
export async function provision(context: ProvisionContext, ports: ProvisionPorts): Promise<void> {
  const { inputs, log } = context
  const { world } = ports
  const regions = regionsOf(inputs, world.environmentRegion)
  const home = world.clientsFor(regions[0] ?? '')
  const provider = ec2Provider(ec2Access(region => world.clientsFor(region), home.region))
  const plan = await provider.plan(wishOf(inputs, regions))
  const setting: Setting = {
    context,
    ports,
    provider,
    plan,
    now: () => home.serviceNow(),
    expiryOf: (offer, earlier) => expiryOf(offer, earlier, inputs, home.serviceNow()),
  }
  for (const warning of plan.warnings) log.warning(warning)
  const lease = newLease(setting)
  await log.group(`Plan of lease ${lease.id}`, async () => planLines(plan).forEach(line => log.info(line)))
  if (inputs.dryRun) await context.summarize(planTable(plan))
  if (plan.offers.length === 0) throw noOffer(plan)
  if (inputs.dryRun) return showDryRun(setting, intentsOf(setting, lease))
  context.setOutput('lease-id', lease.id)
  await launchAndWait(setting, lease)
}

/** Whole seconds: the tag, the timer in the machine and the output then say the same. */
function expiryOf(
  offer: Offer,
  earlier: readonly Attempt[],
  { budget, ttl }: ProvisionContext['inputs'],
  now: number,
): number {
  const spent = budget === undefined ? 0 : (spentMicros(earlier, now) ?? 0)
  const budgetUsd = budget === undefined ? null : Math.max(0, toUsd(toMicros(budget) - spent))
  const affordable = effectiveTtl({ ttlMs: ttl, budgetUsd, offer })
  if (affordable.kind === 'refused') {
    throw new OutsideFault({
      what: `The budget has been used up by machines that came to nothing: ${words(offer)} ${affordable.reason}`,
      advice: 'Raise budget, or name types and zones that are easier to get; the table of attempts has the reasons.',
    })
  }
  return Math.floor((now + affordable.ttlMs) / 1000) * 1000
}

function newLease({ context, ports, plan, now }: Setting): Lease {
  const { inputs, run } = context
  const owner: Owner = { repository: run.repository, runId: run.runId, attempt: run.attempt, job: run.job }
  const createdAt = Math.floor(now() / 1000) * 1000
  return {
    schema: 'gpu-actions/lease@1',
    id: newLeaseId(owner, ports.newLeaseSuffix()),
    provider: 'ec2',
    owner,
    places: placesOf(plan),
    createdAt: new Date(createdAt).toISOString(),
    // Until something is launched; then it is the machine's own.
    expiresAt: new Date(createdAt + inputs.maxWait + inputs.ttl).toISOString(),
    ttlSeconds: Math.floor(inputs.ttl / 1000),
    guestShutdown: 'terminates',
    onJobEnd: inputs.onJobEnd,
    budgetUsd: inputs.budget ?? null,
    image: null,
    offer: null,
    machines: [],
    runningAt: null,
    reachableAt: null,
    readyAt: null,
    waitFor: inputs.waitFor,
    gpus: null,
  }
}

const placesOf = ({ offers }: Ec2Plan): readonly Place[] => [
  ...new Map(offers.map(({ place }) => [`${place.account}/${place.region}`, place])).values(),
]

/** What would be written down before each launch. */
const intentsOf =
  ({ expiryOf: when }: Setting, lease: Lease) =>
  (offer: Offer, token: string, number: number): Intent => ({
    leaseId: lease.id,
    owner: lease.owner,
    number,
    token,
    offer,
    expiresAt: when(offer, []),
  })

const noOffer = ({ leftOut, nearest }: Ec2Plan): UserFault =>
  new UserFault('No machine can be had for what was asked for, and nothing was launched', [
    ...leftOut,
    ...nearest.map(sentence => `what would work: ${sentence}`),
  ])
