import type { Ec2Plan } from '@gpu-actions/aws'
import { formatUsd, hourlyCost, toUsd, words, type Offer } from '@gpu-actions/lease'

/** Offers that are told one by one; more would bury the rest. */
const told = 30

/** Text that a service wrote, for a cell of a table. */
export const cell = (text: string): string => text.replace(/[\r\n]+/g, ' ').replaceAll('|', '\\|')

/** `$1.212 an hour (Pricing API, 2026-11-27)`, and what is billed beside it. */
function priceWords(offer: Offer): string {
  if (offer.market === 'capacity-block') return 'paid in advance'
  if (offer.price === null) return 'price unknown'
  const { usdPerHour, source, date } = offer.price
  const all = hourlyCost(offer)
  const more =
    all === null || all.extras === 0 ? '' : `, ${formatUsd(toUsd(all.machine + all.extras))} with storage and address`
  return `${formatUsd(usdPerHour)} an hour (${source}, ${date})${more}`
}

const quotaWords = ({ limit, used, unknown }: Ec2Plan['quotas'][number]): string =>
  limit === null ? `unknown (${unknown ?? 'it was not told'})` : `${used ?? '?'} of ${limit} vCPUs in use`

const regionsIn = (plan: Ec2Plan): number => new Set(plan.offers.map(({ place }) => place.region)).size

/** The plan for the log: one line an offer, a quota, a reason. */
export function planLines(plan: Ec2Plan): readonly string[] {
  const several = regionsIn(plan) > 1
  const offers = plan.offers.slice(0, told).map((offer, index) => {
    const image = plan.imageFor(offer)
    const region = several && offer.zone === null ? '' : ` ${offer.subnet ?? ''}`
    const reservation = offer.reservation === null ? '' : ` into ${offer.reservation}`
    return `${index + 1}. ${words(offer)}${reservation},${region}: ${priceWords(offer)}; image ${image.id} (${image.name})`
  })
  const more = plan.offers.length - offers.length
  return [
    ...offers,
    ...(more > 0 ? [`… and ${more} more offers`] : []),
    ...plan.quotas.map(quota => `Quota ${quota.code} in ${quota.region} (${quota.name}): ${quotaWords(quota)}`),
    ...plan.leftOut.map(reason => `Left out: ${reason}`),
    ...plan.nearest.map(sentence => `What would work: ${sentence}`),
  ]
}

/** The plan as Markdown, for a dry run. */
export function planTable(plan: Ec2Plan): string {
  const rows = plan.offers
    .slice(0, told)
    .map(
      (offer, index) =>
        `| ${index + 1} | ${offer.instanceType} | ${offer.gpu === null ? '–' : `${offer.gpu.count} × ${cell(offer.gpu.name)}`} | ${offer.zone ?? offer.place.region} | ${offer.market} | ${cell(priceWords(offer))} | ${cell(plan.imageFor(offer).name)} |`,
    )
  const quotas = plan.quotas.map(
    quota => `| [${quota.code}](${quota.link}) | ${cell(quota.name)} | ${quota.region} | ${cell(quotaWords(quota))} |`,
  )
  return [
    '### Dry run: nothing was launched',
    '',
    ...(rows.length === 0
      ? ['**No machine can be had for what was asked for.**', '']
      : ['| # | type | GPUs | zone | market | price | image |', '|---:|---|---|---|---|---|---|', ...rows, '']),
    ...(plan.offers.length > told ? [`… and ${plan.offers.length - told} more offers.`, ''] : []),
    ...(quotas.length === 0 ? [] : ['| quota | of | region | in use |', '|---|---|---|---|', ...quotas, '']),
    ...plan.leftOut.map(reason => `- left out: ${reason}`),
    ...plan.nearest.map(sentence => `- **what would work**: ${sentence}`),
    '',
  ].join('\n')
}
