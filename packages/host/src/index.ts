export type { Host, HostJob, JobEnd, RunningJob, RunOptions, RunResult } from './host.ts'
