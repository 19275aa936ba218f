import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import type { CloudState, InstanceState, OfflineCloud } from '@gpu-actions/offline-cloud'
import { receiptRecord } from '@gpu-actions/lease'

/** A receipt, as soon as its step had ended. */
export interface ReceiptSight {
  readonly leaseId: string
  readonly remaining: number
  /** What of the lease existed when it was read, though nothing was to be left or still ending, in words. */
  readonly stillThere: readonly string[]
  /** When it was read, in milliseconds of the cloud's clock. */
  readonly at: number
}

/** Looks at the cloud while a drill runs: when each machine was first seen ending, and what receipts say. */
export interface Witness {
  /** Milliseconds of the cloud's clock, by machine. */
  readonly endingSince: ReadonlyMap<string, number>
  readonly receipts: readonly ReceiptSight[]
  look(): CloudState
  /** Reads the receipts that lie in the run directories of a job. */
  readReceipts(temp: string): Promise<void>
  stop(): void
}

const leaseTag = 'gpu-actions:lease'

export const leaseOf = ({ tags }: Pick<InstanceState, 'tags'>): string | undefined => tags[leaseTag]

/** Still able to cost: EC2 bills nothing from the first sight of shutting-down on. */
export const isBilled = ({ state }: Pick<InstanceState, 'state'>): boolean =>
  state !== 'shutting-down' && state !== 'terminated'

/** Volumes, interfaces and living spot requests that bear the mark of a lease. */
const belongings = ({ volumes, interfaces, spotRequests }: CloudState, leaseId: string): readonly string[] =>
  [...volumes, ...interfaces, ...spotRequests.filter(({ state }) => state === 'open' || state === 'active')]
    .filter(thing => leaseOf(thing) === leaseId)
    .map(({ id, state }) => `${id} (${state})`)

const lookEveryMs = 100

export function createWitness(cloud: OfflineCloud): Witness {
  const endingSince = new Map<string, number>()
  const receipts: ReceiptSight[] = []
  const read = new Set<string>()
  const look = (): CloudState => {
    const state = cloud.state()
    for (const instance of state.instances) {
      if (!isBilled(instance) && !endingSince.has(instance.id)) endingSince.set(instance.id, Date.parse(state.now))
    }
    return state
  }
  const timer = setInterval(look, lookEveryMs)
  return {
    endingSince,
    receipts,
    look,
    async readReceipts(temp) {
      const folder = path.join(temp, 'gpu-actions')
      for (const leaseId of await readdir(folder).catch(() => [])) {
        const text = await readFile(path.join(folder, leaseId, receiptRecord.file), 'utf8').catch(() => null)
        if (text === null || read.has(text)) continue
        read.add(text)
        const { remaining, ending } = receiptRecord.parse(JSON.parse(text))
        const state = look()
        const stillThere = remaining > 0 || ending.length > 0 ? [] : belongings(state, leaseId)
        receipts.push({ leaseId, remaining, stillThere, at: Date.parse(state.now) })
      }
    },
    stop: () => clearInterval(timer),
  }
}
