export { lineReader, readLine, type BenchmarkEvent, type EventOf, type Line, type LineReader } from './events.ts'
export { resultOfJob, type JobFrame } from './cluster-result.ts'
export { doubtsOf, metricsOf, type Measured } from './judge.ts'
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
export { runBenchmark, type BenchmarkPorts, type BenchmarkRun } from './run-benchmark.ts'
export { blockThroughput, medianWithInterval, minimumBlocks, seededRandom, type Interval } from './statistics.ts'
export { buildArguments, type BenchmarkWish } from './wish.ts'
export { memoryFormats, modes, precisions } from './words.ts'
