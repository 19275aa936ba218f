import { createHash } from 'node:crypto'
import type { Offer, Owner } from './records.ts'

/** `<run-id>-<attempt>-<8 random>`. @param random eight characters of [a-z0-9] that no other lease has */
export function newLeaseId(owner: Pick<Owner, 'runId' | 'attempt'>, random: string): string {
  if (!/^[a-z0-9]{8}$/.test(random)) throw new RangeError('a lease id needs eight random characters of [a-z0-9]')
  return `${owner.runId}-${owner.attempt}-${random}`
}

const leaseId = /\d+-\d+-[a-z0-9]{8}$/

/** The lease id at the end of a name, such as a cluster's. */
export const leaseIdAtEnd = (name: string): string | undefined => leaseId.exec(name)?.[0]

export const isLeaseId = (id: string): boolean => leaseIdAtEnd(id) === id

/** What makes two offers the same. */
export const offerKey = (offer: Offer): string =>
  [
    offer.place.account,
    offer.place.region,
    offer.zone ?? '',
    offer.subnet ?? '',
    offer.instanceType,
    offer.market,
    ...(offer.reservation === null ? [] : [offer.reservation]),
  ].join('/')

/** The longest token that every provider takes (EC2: 64 ASCII characters). */
const longest = 64

/**
 * The token of a launch call: the same for the same lease, attempt number and offer, and for nothing else, so that a
 * repetition can never start a second machine. At most 64 ASCII characters.
 */
export function clientToken(leaseId: string, attempt: number, offer: Offer): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([leaseId, attempt, offerKey(offer)]))
    .digest('hex')
  const readable = `${leaseId}-${attempt}-${digest.slice(0, 16)}`
  return readable.length <= longest && /^[\x21-\x7e]+$/.test(readable) ? readable : digest
}
