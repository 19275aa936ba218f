export { lineReader, readLine, type BenchmarkEvent, type EventOf, type Line, type LineReader } from './events.ts'
export {
  differences,
  environmentKey,
  keyFields,
  type Difference,
  type EnvironmentKey,
  type KeyedResult,
} from './environment-key.ts'
export { resultOfJob, type JobFrame } from './cluster-result.ts'
export { doubtsOf, metricsOf, remarksOf, type Measured } from './judge.ts'
export { formatThroughput, progressTeller } from './progress.ts'
export {
  parseResult,
  resultSchema,
  statuses,
  type Actual,
  type Asked,
  type Block,
  type ClusterJob,
  type Metrics,
  type Result,
  type Status,
} from './result.ts'
export { differenceOf, throughputPairs } from './paired.ts'
export {
  furtherRuns,
  preflightOf,
  profiles,
  sizesOf,
  type FurtherRun,
  type Profile,
  type ProfileName,
} from './profiles.ts'
export { runBenchmark, type BenchmarkRun } from './run-benchmark.ts'
export type { BenchmarkPorts } from './ports.ts'
export { blockThroughput, medianWithInterval, minimumBlocks, seededRandom, type Interval } from './statistics.ts'
export { buildArguments, type BenchmarkWish, type Sizes } from './wish.ts'
export { memoryFormats, modes, precisions, preflightLevels, preflightNeeds, profileNames } from './words.ts'
export { checkWords, type Check, type Preflight, type PreflightWish } from './preflight.ts'
export { ratioInputsOf, ratiosOfResult } from './ratios/from-result.ts'
export type { Telemetry } from './telemetry.ts'
export { changePoints, type ChangePoint } from './statistics/change-points.ts'
export { twoModes, type TwoModes } from './statistics/modes.ts'
export { pairedDifference, type Pair, type PairedDifference } from './statistics/paired.ts'
export {
  coefficientOfVariation,
  inlierDeviation,
  middleHalf,
  modifiedZ,
  robustDeviation,
  robustSlope,
} from './statistics/robust.ts'
export {
  anchors,
  estimates,
  gpus,
  gpuTableVersion,
  type Anchor,
  type AnchorPrecision,
  type Estimate,
  type GpuData,
} from './ratios/gpu-table.ts'
export { anchorOf, flopOf, gpuOf, ratiosOf, type RatioInputs, type Ratios } from './ratios/ratios.ts'
export { driftOf, shiftOf, type Drift, type Shift } from './statistics/drift.ts'
export {
  throttledOf,
  unknownConditions,
  type Conditions,
  type ThrottledMicroseconds,
  type ThrottleNotice,
} from './validity/conditions.ts'
export { describeHistory, type HistoryDescription } from './verdict/describe-history.ts'
export { historyEntryOf, judgedRunOf, type Comparable } from './verdict/from-result.ts'
export {
  verdicts,
  type HistoryEntry,
  type JudgedRun,
  type Verdict,
  type VerdictQuestion,
  type VerdictWord,
} from './verdict/judged.ts'
export { pairedVerdictOf, type PairedQuestion, type PairedVerdict } from './verdict/paired-verdict.ts'
export { verdictOf } from './verdict/verdict.ts'
