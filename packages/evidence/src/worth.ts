import { environmentKey, ratiosOfResult } from '@gpu-actions/benchmark'
import { priceOf } from './facts.ts'
import type { Evidence } from './schema.ts'

/**
 * What the figures of a result are worth: set beside the GPU's data and the price of its machine, and what they may be
 * compared with. Both null without a result; no key where the host told nothing of itself, as of a job of a cluster,
 * since all such keys would be equal.
 */
export function worthOf({
  result,
  lease,
  receipt,
}: Pick<Evidence, 'result' | 'lease' | 'receipt'>): Pick<Evidence, 'ratios' | 'environmentKey'> {
  if (result === null) return { ratios: null, environmentKey: null }
  return {
    ratios: ratiosOfResult(result, priceOf(lease, receipt)?.usdPerHour ?? null),
    environmentKey: result.environment === null ? null : environmentKey(result),
  }
}
