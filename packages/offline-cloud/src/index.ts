import { createMachine } from './machine/index.ts'
import { serveCloud, type OfflineCloud, type OfflineCloudOptions } from './serve.ts'

export type { Call } from './calls.ts'
export type {
  ArtifactState,
  AttachableState,
  CloudState,
  ClusterView,
  CommandState,
  InstanceState,
  JobView,
  SpotRequestState,
} from './control/state.ts'
export type { Fault, FaultKind } from './faults.ts'
export type { ClusterApiShape } from './scenario.ts'
export type { OfflineCloud, OfflineCloudOptions } from './serve.ts'
export { readScenario, type Scenario } from './scenario.ts'
export { account, instanceProfiles, roles } from './world/account.ts'
export { appClients, cognito } from './world/cognito.ts'
export { images } from './world/images.ts'
export { instanceTypes } from './world/instance-types.ts'
export { regions, regionsNotOptedIn } from './world/network.ts'
export { onDemandPrice } from './world/prices.ts'
export { quotas } from './world/quotas.ts'

/**
 * Starts the offline cloud on 127.0.0.1. Throws a RangeError that says what is wrong with a scenario, and the system's
 * error when the port is taken.
 */
export const startOfflineCloud = (options: OfflineCloudOptions = {}): Promise<OfflineCloud> =>
  serveCloud(options, createMachine)
