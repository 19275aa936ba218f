export { isolation } from './isolation.ts'
export { createMachine } from './machine.ts'
export type { CommandResult, Machine, MachineSpec } from './machine.ts'
