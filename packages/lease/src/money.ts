import type { Price } from './records.ts'

/** Money is counted in whole micro-dollars; decimal USD appears only in records and in words. */
export const toMicros = (usd: number): number => Math.round(usd * 1_000_000)
export const toUsd = (micros: number): number => micros / 1_000_000

/** @returns micro-dollars, or null when the price is unknown */
export const costMicros = (price: Price | null, seconds: number): number | null =>
  price === null ? null : Math.round((toMicros(price.usdPerHour) * seconds) / 3600)

/** `$1.212`, `$0.0213`: at most four decimals below a dollar, at least two. */
export function formatUsd(usd: number): string {
  const text = usd.toFixed(Math.abs(usd) < 1 ? 4 : 3)
  return `$${text.replace(/(\.\d\d\d*?)0+$/, '$1')}`
}

/** The sum, or null as soon as one part is unknown. */
export const sum = (parts: readonly (number | null)[]): number | null =>
  parts.reduce<number | null>((total, part) => (total === null || part === null ? null : total + part), 0)
