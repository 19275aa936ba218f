import type { Log } from '@gpu-actions/action-kit'
import { dryRun, imageFor, launchParameters, type AwsClients, type Prepared } from '@gpu-actions/aws'
import { clientToken, formatUsd, words, type Intent, type Offer } from '@gpu-actions/lease'

/** One line an offer: what, where, how much, with which image. */
export function planLines(prepared: Prepared): readonly string[] {
  const { plan, spec } = prepared
  const offers = plan.offers.map((offer, index) => {
    const price =
      offer.price === null
        ? 'price unknown'
        : `${formatUsd(offer.price.usdPerHour)} an hour (${offer.price.source}, ${offer.price.date})`
    const image = imageFor(spec, offer)
    return `${index + 1}. ${words(offer)}, ${offer.subnet}: ${price}; image ${image.id} (${image.name})`
  })
  return [...offers, ...plan.leftOut.map(reason => `Left out: ${reason}`)]
}

/** Shows what would be launched and asks EC2 whether it would be. Launches nothing. */
export async function showDryRun(
  tools: { readonly log: Log; readonly clients: AwsClients },
  prepared: Prepared,
  intentFor: (offer: Offer, token: string, number: number) => Intent,
  leaseId: string,
): Promise<void> {
  const { log, clients } = tools
  for (const [index, offer] of prepared.plan.offers.entries()) {
    const number = index + 1
    const intent = intentFor(offer, clientToken(leaseId, number, offer), number)
    await log.group(`Launch parameters of offer ${number}: ${words(offer)}`, async () => {
      const { UserData, ...parameters } = launchParameters(prepared.spec, offer, intent)
      log.info(JSON.stringify(parameters, null, 2))
      log.info('UserData, decoded:')
      log.untrusted(Buffer.from(UserData ?? '', 'base64').toString())
    })
    await dryRun(clients.ec2Once(), prepared.spec, offer, intent)
    log.info(`EC2 would launch offer ${number}, if it has the capacity.`)
  }
  log.notice('Dry run: nothing was launched.')
}
