import * as v from 'valibot'

/** Where the one-time token was put: a parameter of the Systems Manager, a file on the machine, or nowhere any more. */
const tokenSchema = v.nullable(
  v.variant('kind', [
    v.object({ kind: v.literal('ssm-parameter'), name: v.string(), region: v.string() }),
    v.object({ kind: v.literal('file'), path: v.string() }),
  ]),
)

/** Where deploy-agent leaves its record in the run directory. */
export const agentFile = 'agent.json'

/** What deploy-agent leaves there. It holds no secret but ids that logs mask. */
export const agentSchema = v.pipe(
  v.object({
    schema: v.literal('gpu-actions/agent@1'),
    /** The lease the machine belongs to; null for one that was not rented. */
    leaseId: v.nullable(v.string()),
    host: v.string(),
    /** Written before the call that registers it, so that its name is known whatever happens then. */
    clusterName: v.string(),
    /** null until the API has told it. */
    clusterId: v.nullable(v.string()),
    /** The API's address: scheme, host and path, without anything secret. */
    apiBase: v.string(),
    apiHost: v.string(),
    agent: v.picklist(['reference', 'image']),
    agentVersion: v.nullable(v.string()),
    /** Seconds from the registration until active; null when it never was. */
    activationSeconds: v.nullable(v.pipe(v.number(), v.minValue(0))),
    status: v.picklist(['registering', 'registered', 'installed', 'active', 'failed', 'deleted']),
    /** The sentence of a failure. */
    error: v.nullable(v.string()),
    token: tokenSchema,
    /** The agent as a detached job, where there is no service manager. */
    jobId: v.nullable(v.string()),
    startedAt: v.pipe(v.string(), v.isoTimestamp()),
    endedAt: v.nullable(v.pipe(v.string(), v.isoTimestamp())),
  }),
  v.readonly(),
)

export type AgentRecord = v.InferOutput<typeof agentSchema>

/** @throws ValiError when the record is none of this version */
export const parseAgentRecord = (record: unknown): AgentRecord => v.parse(agentSchema, record)
