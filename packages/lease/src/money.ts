import { formatDuration } from '@gpu-actions/action-kit/ports'
import type { Attempt, Extra, Offer, Price } from './records.ts'

/** Money is counted in whole micro-dollars; decimal USD appears only in records and in words. */
export const toMicros = (usd: number): number => Math.round(usd * 1_000_000)
export const toUsd = (micros: number): number => micros / 1_000_000

/** @returns micro-dollars, or null when the price is unknown */
export const costMicros = (price: Price | Extra | null, seconds: number): number | null =>
  price === null ? null : Math.round((toMicros(price.usdPerHour) * seconds) / 3600)

/** `$1.212`, `$0.0213`: at most four decimals below a dollar, at least two. */
export function formatUsd(usd: number): string {
  const text = usd.toFixed(Math.abs(usd) < 1 ? 4 : 3)
  return `$${text.replace(/(\.\d\d\d*?)0+$/, '$1')}`
}

/** The sum, or null as soon as one part is unknown. */
export const sum = (parts: readonly (number | null)[]): number | null =>
  parts.reduce<number | null>((total, part) => (total === null || part === null ? null : total + part), 0)

type Priced = Pick<Offer, 'price' | 'extras' | 'market'>

/** What an hour of an offer costs, in micro-dollars. */
export interface HourlyCost {
  /** Of the machine itself: 0 in a capacity block, which is paid in advance. */
  readonly machine: number
  /** Of what is billed beside it while it lives. */
  readonly extras: number
}

/** @returns null when a price is unknown */
export function hourlyCost({ price, extras, market }: Priced): HourlyCost | null {
  const machine = market === 'capacity-block' ? 0 : price === null ? null : toMicros(price.usdPerHour)
  const beside = extras === null ? null : sum(extras.map(extra => toMicros(extra.usdPerHour)))
  return machine === null || beside === null ? null : { machine, extras: beside }
}

/** Below this a machine has hardly booted: renting it would be waste. In milliseconds. */
export const shortestTtlMs = 10 * 60_000

/** For how long an offer may be rented, or why not at all. */
export type Affordable =
  | { readonly kind: 'affordable'; readonly ttlMs: number; readonly isCutByBudget: boolean }
  /** A sentence's end, after the words for the offer: `costs $5.75 an hour: …` */
  | { readonly kind: 'refused'; readonly reason: string }

export interface Affording {
  /** The time limit that was asked for, in milliseconds. */
  readonly ttlMs: number
  /** Decimal USD for machine and extras together; null without a limit. */
  readonly budgetUsd: number | null
  readonly offer: Priced
}

/**
 * min(ttl, budget ÷ all hourly costs), in whole seconds. A budget is refused when it pays for less than ten minutes (and
 * less than the ttl), and when a price is unknown. What a capacity block costs is paid already: only extras count.
 */
export function effectiveTtl({ ttlMs, budgetUsd, offer }: Affording): Affordable {
  const whole: Affordable = { kind: 'affordable', ttlMs, isCutByBudget: false }
  if (budgetUsd === null) return whole
  const hourly = hourlyCost(offer)
  if (hourly === null) {
    const isMachine = offer.price === null && offer.market !== 'capacity-block'
    const what = isMachine ? 'its price is' : 'the price of its storage or address is'
    return {
      kind: 'refused',
      reason: `${what} unknown, so nobody can say how long a budget of ${formatUsd(budgetUsd)} lasts`,
    }
  }
  const total = hourly.machine + hourly.extras
  if (total === 0) return whole
  // Whole numbers without a largest one: micro-dollars times seconds outgrow a double.
  const seconds = Number((BigInt(toMicros(budgetUsd)) * 3600n) / BigInt(total))
  if (seconds * 1000 >= ttlMs) return whole
  if (seconds * 1000 < Math.min(shortestTtlMs, ttlMs)) {
    return {
      kind: 'refused',
      reason: `costs ${formatUsd(toUsd(total))} an hour with all that is billed beside it: a budget of ${formatUsd(budgetUsd)} lasts ${formatDuration(seconds * 1000)}, less than ${formatDuration(shortestTtlMs)}`,
    }
  }
  return { kind: 'affordable', ttlMs: seconds * 1000, isCutByBudget: true }
}

/**
 * Why an offer is beyond `max-price-per-hour`, which is about the price of the machine itself, as lists of prices and
 * the output `price-per-hour` are; null when it is not. A sentence's end, after the words for the offer.
 */
export function priceRefusal({ price, market }: Priced, maxUsdPerHour: number | null): string | null {
  if (maxUsdPerHour === null || market === 'capacity-block') return null
  if (price === null)
    return `its price is unknown, so nobody can say whether it is within ${formatUsd(maxUsdPerHour)} an hour`
  return toMicros(price.usdPerHour) <= toMicros(maxUsdPerHour)
    ? null
    : `costs ${formatUsd(price.usdPerHour)} an hour, more than ${formatUsd(maxUsdPerHour)}`
}

/**
 * What the machines that a lease has launched may have cost by now at most, extras included: each counts as if it still
 * lived, and is billed for a minute at least.
 * @param now milliseconds since the epoch
 * @returns micro-dollars, or null when a price is unknown
 */
export function spentMicros(attempts: readonly Attempt[], now: number): number | null {
  const launched = attempts.filter(({ outcome }) => outcome?.kind === 'launched')
  return sum(
    launched.map(({ offer, at }) => {
      const hourly = hourlyCost(offer)
      const seconds = Math.max(60, Math.ceil((now - Date.parse(at)) / 1000))
      return hourly === null ? null : Math.ceil(((hourly.machine + hourly.extras) * seconds) / 3600)
    }),
  )
}
