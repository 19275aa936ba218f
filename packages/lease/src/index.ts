export { launchFaults, type LaunchFault } from './launch-fault.ts'
export * from './records.ts'
