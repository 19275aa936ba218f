export { WorkflowFault } from './faults.ts'
export { parsePairs } from './file-commands.ts'
export { runWorkflow } from './run.ts'
export type {
  Annotation,
  Conclusion,
  JobResult,
  Phase,
  StepPlace,
  StepProcess,
  StepResult,
  WorkflowOptions,
  WorkflowResult,
} from './types.ts'
