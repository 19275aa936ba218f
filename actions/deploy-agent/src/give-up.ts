import { messageOf, OutsideFault } from '@gpu-actions/action-kit'
import { diagnose, redact, removeAgent, removeImageAgentScript } from '@gpu-actions/cluster-api'
import { endDeployment } from './end-cluster.ts'
import type { DeployContext, Site } from './site.ts'

/** What the machine says about why its agent does not work: for log and run directory. @returns likely causes */
async function examine({ log }: DeployContext, { host, notes, records, secrets }: Site): Promise<readonly string[]> {
  try {
    // One that does not answer would keep every question of a diagnosis waiting.
    await host.run(':\n', { timeoutMs: 15_000 })
    const { causes, text } = await diagnose(host, { apiBase: notes.now().apiBase, secrets })
    await log.group(`What ${host.name} says`, () => Promise.resolve(log.untrusted(text)))
    await records.appendLog('agent.log', `${text}\n`)
    return causes
  } catch (error) {
    log.warning(`No diagnosis of ${host.name} could be had: ${messageOf(error)}`)
    return []
  }
}

/** Of a machine that lives on. One that is rented for this job ends, and its agent with it. */
async function removeFrom({ inputs, log }: DeployContext, { host, place }: Site): Promise<void> {
  if (place.lease?.onJobEnd === 'terminate') return
  try {
    await (inputs.agent === 'image' ? host.run(removeImageAgentScript) : removeAgent(host))
  } catch (error) {
    log.warning(`The agent was not removed from ${host.name}: ${messageOf(error)}`)
  }
}

/**
 * After a failure: brings home why, and ends what was made.
 * @returns what to throw: the failure, with likely causes and with what is left
 */
export async function giveUp(context: DeployContext, site: Site, fault: unknown): Promise<unknown> {
  const { clock, log } = context
  const { api, clients, notes, secrets } = site
  const wasOnMachine = notes.now().token !== null
  log.info(`This failed: ${wasOnMachine ? 'looking why, then ' : ''}ending what was made.`)
  const causes = wasOnMachine ? await examine(context, site) : []
  await notes.note({
    status: 'failed',
    error: redact(messageOf(fault), secrets),
    endedAt: new Date(clock.now()).toISOString(),
  })
  if (wasOnMachine) await removeFrom(context, site)
  const left = await endDeployment({ clock, log, clients: () => clients, api: () => api, journal: notes })
  for (const { what, byHand } of left) log.warning(`${what}. It is tried again when the job ends; by hand: ${byHand}`)
  if (!(fault instanceof OutsideFault) || causes.length === 0) return fault
  return new OutsideFault({
    what: fault.message,
    advice: [fault.advice, 'Likely causes:', ...causes.map(cause => `- ${cause}`)].join('\n'),
    ...(fault.cause === undefined ? {} : { cause: fault.cause }),
  })
}
