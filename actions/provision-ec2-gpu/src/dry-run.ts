import { clientToken, offerKey, words, type Intent, type Offer } from '@gpu-actions/lease'
import type { Setting } from './setting.ts'

/** Offers whose parameters are shown and that EC2 is asked about; the others differ by zone only. */
const shown = 6

/** One offer of each type, region and market: another zone changes a subnet and nothing else. */
function samples(offers: readonly Offer[]): readonly (readonly [number, Offer])[] {
  const kinds = new Map<string, readonly [number, Offer]>()
  for (const [index, offer] of offers.entries()) {
    const kind = offerKey({ ...offer, zone: null, subnet: null })
    if (!kinds.has(kind)) kinds.set(kind, [index + 1, offer])
  }
  return [...kinds.values()].slice(0, shown)
}

/** Shows what would be launched and asks EC2 whether it would be. Launches nothing. */
export async function showDryRun(
  { context, plan, provider }: Setting,
  intentFor: (offer: Offer, token: string, number: number) => Intent,
): Promise<void> {
  const { log } = context
  for (const [number, offer] of samples(plan.offers)) {
    const intent = intentFor(offer, clientToken('dry-run', number, offer), number)
    await log.group(`Launch parameters of offer ${number}: ${words(offer)}`, async () => {
      const { UserData, ...parameters } = provider.parameters(offer, intent)
      log.info(JSON.stringify(parameters, null, 2))
      log.info('UserData, decoded:')
      log.untrusted(Buffer.from(UserData ?? '', 'base64').toString())
    })
    await provider.dryRun(offer, intent)
    log.info(`EC2 would launch offer ${number}, if it has the capacity.`)
  }
  log.notice('Dry run: nothing was launched.')
}
