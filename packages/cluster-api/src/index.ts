export { placeIn, systemPlace, unitName, type AgentPlace } from './agent-place.ts'
export { productionHosts, reachBase, readBase, type BaseRules, type ReachPorts } from './base.ts'
export { clusterApi, type ClusterApi, type ClusterApiOptions, type JobWish, type RegisteredCluster } from './client.ts'
export { agentTrouble, diagnose, type Diagnosis, type DiagnosisWish } from './diagnose.ts'
export { dialectWith, referenceDialect, type Dialect, type DialectChanges } from './dialect.ts'
export { ApiFault, codeOf, type Trouble } from './faults.ts'
export { imageAgentDefault, imageAgentScript, removeImageAgentScript, type ImageAgent } from './image-agent.ts'
export {
  installAgent,
  removeAgent,
  type AgentInstallation,
  type AgentSettings,
  type InstalledAgent,
  type TokenPlace,
} from './install.ts'
export type { ClusterReport, JobClass, JobReport } from './reading.ts'
export { agentFile, agentSchema, parseAgentRecord, type AgentRecord } from './record.ts'
export { redact } from './redact.ts'
export { waitForActive, waitForJob, type Activation, type JobOutcome, type WaitPorts } from './wait.ts'
