import { resultSchema } from '@gpu-actions/benchmark'
import { agentSchema } from '@gpu-actions/cluster-api'
import { attemptsSchema, leaseSchema, receiptSchema } from '@gpu-actions/lease'
import * as v from 'valibot'
import { environmentKeySchema, ratiosSchema } from './worth-schema.ts'

const object = <const E extends v.ObjectEntries>(entries: E) => v.pipe(v.object(entries), v.readonly())

/** Who ran it, and where its log is. */
export const runSchema = object({
  /** `owner/name` */
  repository: v.string(),
  id: v.string(),
  number: v.string(),
  /** The run's attempt, from 1. */
  attempt: v.pipe(v.number(), v.integer(), v.minValue(1)),
  /** The job's id in the workflow file. */
  job: v.string(),
  workflow: v.string(),
  event: v.string(),
  actor: v.string(),
  /** The commit the workflow ran on; for a pull request a merge that nobody wrote. */
  sha: v.string(),
  /** The newest commit of the pull request; null for other events. */
  headSha: v.nullable(v.string()),
  ref: v.string(),
  /** The page of the run. */
  url: v.string(),
  /** When the evidence was put together: UTC, ISO 8601. */
  collectedAt: v.pipe(v.string(), v.isoTimestamp()),
})

export const missingSchema = object({
  /** A record, `environment`, or the path of an extra file. */
  name: v.string(),
  /** A sentence: what is not there, or what is wrong with it. */
  reason: v.string(),
})

/** `evidence.json`: all records of one lease, as they were written. */
export const evidenceSchema = v.pipe(
  v.strictObject({
    schema: v.literal('gpu-actions/evidence@1'),
    run: runSchema,
    lease: v.nullable(leaseSchema),
    attempts: v.nullable(attemptsSchema),
    /** What deploy-agent left; null where no cluster was registered, as in evidence from before there were any. */
    agent: v.optional(v.nullable(agentSchema), null),
    /** What the host told of itself, taken from the result. */
    environment: v.nullable(v.record(v.string(), v.unknown())),
    result: v.nullable(resultSchema),
    /** The result beside the GPU's data and the machine's price; null without a result, as in evidence from before. */
    ratios: v.optional(v.nullable(ratiosSchema), null),
    /** What the result may be compared with; null where the host told nothing of itself, as in evidence from before. */
    environmentKey: v.optional(v.nullable(environmentKeySchema), null),
    /** Nothing judges results yet. */
    verdict: v.null(),
    receipt: v.nullable(receiptSchema),
    missing: v.pipe(v.array(missingSchema), v.readonly()),
  }),
  v.readonly(),
)

export type Run = v.InferOutput<typeof runSchema>
export type Missing = v.InferOutput<typeof missingSchema>
export type Evidence = v.InferOutput<typeof evidenceSchema>

/** @throws ValiError when it is no evidence of this version */
export const parseEvidence = (record: unknown): Evidence => v.parse(evidenceSchema, record)
