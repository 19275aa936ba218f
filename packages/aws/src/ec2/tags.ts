import type { Intent, Offer } from '@gpu-actions/lease'

/** The tags that make a machine ours. Policies may hold a role to its own repository's. */
export const tagNames = {
  lease: 'gpu-actions:lease',
  repository: 'gpu-actions:repository',
  run: 'gpu-actions:run',
  attempt: 'gpu-actions:attempt',
  job: 'gpu-actions:job',
  expiresAt: 'gpu-actions:expires-at',
  price: 'gpu-actions:price',
  extras: 'gpu-actions:price-extras',
} as const

/** EC2 takes so many tags on one thing. */
const mostTags = 50

/** @returns what is wrong with the caller's own tags, as sentences */
export function tagFaults(tags: Readonly<Record<string, string>>): readonly string[] {
  const faults = Object.entries(tags).flatMap(([key, value]) => {
    if (/^(gpu-actions:|aws:)/i.test(key) || key === 'ManagedBy') return [`tags: '${key}' is reserved`]
    if (key.length > 128 || value.length > 256) return [`tags: '${key}' is longer than EC2 allows`]
    return []
  })
  // Beside the marks: Name and ManagedBy. A Name of the caller's takes the place of ours.
  const room = mostTags - Object.keys(tagNames).length - 2
  const count = Object.keys(tags).filter(key => key !== 'Name').length
  return count > room
    ? [...faults, `tags: ${count} are too many: beside the marks of the lease EC2 takes ${room}`]
    : faults
}

/** All tags of a launch; the same for every repetition of it. */
export function launchTags(
  intent: Intent,
  offer: Offer,
  own: Readonly<Record<string, string>>,
): readonly { readonly Key: string; readonly Value: string }[] {
  const all: Readonly<Record<string, string>> = {
    Name: `gpu-actions ${intent.leaseId}`,
    ...own,
    ManagedBy: 'github-actions',
    [tagNames.lease]: intent.leaseId,
    [tagNames.repository]: intent.owner.repository,
    [tagNames.run]: intent.owner.runId,
    [tagNames.attempt]: String(intent.owner.attempt),
    [tagNames.job]: intent.owner.job,
    [tagNames.expiresAt]: new Date(intent.expiresAt).toISOString(),
    [tagNames.price]: offer.price === null ? 'unknown' : String(offer.price.usdPerHour),
    [tagNames.extras]: offer.extras?.map(extra => `${extra.what}=${extra.usdPerHour}`).join(' ') ?? 'unknown',
  }
  return Object.entries(all).map(([Key, Value]) => ({ Key, Value }))
}
