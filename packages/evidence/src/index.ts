export { collectEvidence, evidenceFile, pictureFile, reportFile, type Collected, type Collecting, type ExtraFile } from './bundle.ts' // prettier-ignore
export { instanceType } from './facts.ts'
export { filesOf, manifestFile, verifyManifest, type Manifest } from './manifest.ts'
export { makeReport } from './report.ts'
export { evidenceSchema, parseEvidence, type Evidence, type Missing, type Run } from './schema.ts'
export { makeSummary, type ArtifactLink } from './summary.ts'
