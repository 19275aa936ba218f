export { receiptMarkdown, receiptSentences } from './describe-receipt.ts'
export { earlierReceipt, endLease, provenEnd, type EndLease } from './end-lease.ts'
export { clientToken, newLeaseId, offerKey } from './identity.ts'
export { launchFaults, type LaunchFault } from './launch-fault.ts'
export {
  createLauncher,
  describeOutcome,
  launchBreaker,
  launchLimits,
  words,
  type Launched,
  type Launcher,
  type Launching,
  type LaunchLimits,
} from './launch.ts'
export { costMicros, formatUsd, sum, toMicros, toUsd } from './money.ts'
export type {
  EndingProvider,
  GpuProvider,
  Intent,
  LaunchingProvider,
  Plan,
  Remains,
  Search,
  Stray,
  SweepingProvider,
  TerminateRefusal,
} from './provider.ts'
export { covers } from './receipt.ts'
export * from './records.ts'
export {
  endResource,
  endResources,
  provesGone,
  resourceEnds,
  resourceReceipt,
  withResources,
  type Resource,
  type ResourceEnd,
  type ResourcesEnding,
} from './resources.ts'
export { endMachines, teardownTimes, type Teardown, type TeardownTimes } from './teardown.ts'
