import { OutsideFault, type ActionContext, type Inputs, type Outputs, type PostContext } from '@gpu-actions/action-kit'
import { ec2Access, ec2Ending, isFinal } from '@gpu-actions/aws'
import {
  endLease,
  endMachines,
  leftAdvice,
  leftLine,
  provenEnd,
  receiptMarkdown,
  receiptSentences,
  type Attempt,
  type EndingProvider,
  type Lease,
} from '@gpu-actions/lease'
import type { ProvisionPorts } from './real-ports.ts'
import type { ProvisionState } from './state.ts'

/** A cancelled job has five minutes for all of its cleanup. */
const postDeadlineMs = 3 * 60_000 + 40_000
/** The failed step only gives the order; post looks until it is done. */
const earlyDeadlineMs = 15_000

/** Orders the machines of a failed provisioning to end. Never throws: the failure that led here is what matters. */
export async function endEarly<I extends Inputs, O extends Outputs>(
  context: Pick<ActionContext<I, O>, 'clock' | 'log'>,
  lease: Lease,
  provider: EndingProvider,
  attempts: readonly Attempt[],
): Promise<void> {
  const { clock, log } = context
  if (!attempts.some(attempt => attempt.outcome?.kind === 'launched')) return
  try {
    const { owner, places } = lease
    const tokens = attempts.map(attempt => attempt.token)
    await endMachines({
      provider,
      clock,
      log,
      search: { by: 'lease', repository: owner.repository, leaseId: lease.id, tokens },
      places,
      known: lease.machines,
      attempts,
      deadline: clock.now() + earlyDeadlineMs,
      waitUntilGone: false,
      isFinal,
    })
    log.info('What was launched is ordered to end; the step that runs when the job ends proves it.')
  } catch (error) {
    log.warning(
      `What was launched could not be ended right away: ${String(error)}. It is tried again when the job ends.`,
    )
  }
}

/**
 * The safety net, when the job ends: ends whatever main launched, unless a receipt proves that it is gone, or it is to
 * be kept and main had succeeded.
 * @throws OutsideFault when something that costs money is left
 */
export async function endWhatIsLeft(
  context: PostContext,
  state: ProvisionState | undefined,
  ports: () => Promise<ProvisionPorts>,
): Promise<void> {
  const { clock, log, runDirectories } = context
  if (state === undefined || state.attempts.attempts.length === 0) {
    log.info('Nothing was launched, nothing to end.')
    return
  }
  const { lease, attempts } = state
  const records = runDirectories.open(lease.id)
  if (await provenEnd(records, attempts.attempts)) {
    log.info(`Lease ${lease.id} has ended already: its receipt shows 0 remaining.`)
    return
  }
  if (lease.onJobEnd === 'keep' && state.succeeded) {
    const ids = lease.machines.map(machine => machine.id).join(', ')
    log.notice(
      `${ids} is kept, as on-job-end asks. It ends itself at ${lease.expiresAt}; teardown with lease-id ${lease.id} ends it sooner.`,
    )
    return
  }
  const { world } = await ports()
  const [place] = lease.places
  if (place === undefined) throw new Error('a lease without a place')
  log.info(`Lease ${lease.id} has no receipt that proves its end: looking for its machines`)
  const receipt = await endLease({
    provider: ec2Ending(ec2Access(region => world.clientsFor(region), place.region)),
    clock,
    log,
    records,
    leaseId: lease.id,
    repository: lease.owner.repository,
    places: lease.places,
    attempts: attempts.attempts,
    deadline: clock.now() + postDeadlineMs,
    isFinal,
  })
  for (const sentence of receiptSentences(receipt)) log.info(sentence)
  await context.summarize(receiptMarkdown(receipt))
  if (receipt.ending.length > 0)
    log.warning(
      `${receipt.ending.join(', ')} was still ending at the deadline; it is not billed any more and cannot come back.`,
    )
  if (receipt.remaining > 0) {
    throw new OutsideFault({
      what: [
        `${receipt.remaining} of lease ${lease.id} could not be ended`,
        ...receipt.left.map(leftLine),
        ...receipt.problems,
      ].join('\n'),
      advice: leftAdvice(receipt.left),
    })
  }
}
