import type { Records } from '@gpu-actions/action-kit/ports'
import { leaseRecord, useRecord, type Use } from './records.ts'

/**
 * Writes down that a lease's machine did what it was rented for, so that its receipt can tell use from waste.
 * @returns false, and writes nothing, where the run directory belongs to no lease
 */
export async function recordUse(records: Records, period: Use['periods'][number]): Promise<boolean> {
  const lease = await leaseRecord.read(records)
  if (lease === undefined) return false
  const before = await useRecord.read(records)
  await useRecord.write(records, {
    schema: 'gpu-actions/use@1',
    leaseId: lease.id,
    periods: [...(before?.periods ?? []), period],
  })
  return true
}
