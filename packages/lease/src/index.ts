export { attemptsOf, mayHaveMachine, worthTelling } from './attempt.ts'
export { leftAdvice, leftLine, receiptMarkdown, receiptSentences } from './describe-receipt.ts'
export { earlierReceipt, endLease, provenEnd, type EndLease } from './end-lease.ts'
export { clientToken, isLeaseId, leaseIdAtEnd, newLeaseId, offerKey } from './identity.ts'
export { launchFaults, type LaunchFault } from './launch-fault.ts'
export { createLauncher, type Launched, type Launcher, type Launching } from './launch.ts'
export { launchBreaker, launchLimits, type LaunchLimits } from './launch-limits.ts'
export { describeOutcome, describeTried, words } from './launch-words.ts'
export {
  costMicros,
  effectiveTtl,
  formatUsd,
  hourlyCost,
  priceRefusal,
  shortestTtlMs,
  spentMicros,
  sum,
  toMicros,
  toUsd,
  type Affordable,
  type Affording,
  type HourlyCost,
} from './money.ts'
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
export { covers, type MachineUse } from './receipt.ts'
export * from './records.ts'
export { sweep, type Sweep } from './sweep.ts'
export { sweepFault, sweepMarkdown, sweepSentences } from './describe-sweep.ts'
export { joinSweep, sweepRecord, sweepTotals, type SweepReport, type SweepRow } from './sweep-report.ts'
export { recordUse } from './use.ts'
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
export { endMachines, type Teardown } from './teardown.ts'
export { teardownTimes, type TeardownTimes } from './teardown-times.ts'
