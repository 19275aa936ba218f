/** What logic takes as parameters. Nothing here knows GitHub or a cloud. */
export { poll, systemClock, type Clock, type PollOptions } from './clock.ts'
export { formatDuration, parseDuration } from './duration.ts'
export { messageOf, OutsideFault, UserFault, type Outside } from './faults.ts'
export type { Log } from './log.ts'
export type { Records } from './records.ts'
