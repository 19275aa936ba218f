export {
  defineAction,
  readInputs,
  type ActionDefinition,
  type Inputs,
  type Outputs,
  type Values,
} from './definition.ts'
export { describeFailure, type Failure } from './failure.ts'
export * as input from './inputs.ts'
export type { Input } from './inputs.ts'
export { roleToAssume } from './shared-inputs.ts'
export { actionLog } from './log.ts'
export * from './ports/index.ts'
export { Cancelled, runAction, runPost, type ActionContext, type LateInput, type PostContext } from './run-action.ts'
export { readRunContext, runUrl, type RunContext } from './run-context.ts'
export { runDirectories, type RunDirectories } from './run-directory.ts'
export { stateSlot, type StateSlot } from './state.ts'
