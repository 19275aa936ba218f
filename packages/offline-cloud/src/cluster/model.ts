/** A job of a cluster. Times in ms of the cloud's clock. */
export interface Job {
  readonly id: string
  readonly clusterId: string
  readonly kind: string
  /** As it was launched; the agent gets it unchanged. */
  readonly params: Readonly<Record<string, unknown>>
  readonly image: string | null
  readonly command: readonly string[]
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly inputPayload: Readonly<Record<string, unknown>>
  readonly orchestration: Readonly<Record<string, unknown>> | null
  readonly createdAt: number
  /** The fault job-stuck: whatever the agent reports is dropped. */
  readonly isStuck: boolean
  status: 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled'
  metrics: Readonly<Record<string, unknown>> | null
  errorMessage: string | null
  /** How often it was given to an agent, and how often reported complete. */
  handedOut: number
  completions: number
}

/** A one-time or cluster token: the server keeps no more of it than this. */
export interface StoredToken {
  readonly hash: string
  readonly expiresAt: number
  isSpent: boolean
}

export interface Cluster {
  readonly id: string
  readonly name: string
  readonly region: string | null
  readonly type: string | null
  readonly tenantId: string
  readonly createdAt: number
  /** The fault agent-never-active: heartbeats are taken, but the status stays. */
  readonly neverActive: boolean
  status: 'pending' | 'active'
  agentVersion: string | null
  lastHeartbeat: number | null
  capabilities: Readonly<Record<string, unknown>> | null
  policy: Readonly<Record<string, number>>
  deletedAt: number | null
  readonly oneTimeTokens: StoredToken[]
  readonly clusterTokens: Set<string>
}

export interface ClusterState {
  readonly clusters: Map<string, Cluster>
  readonly jobs: Map<string, Job>
}

export const emptyClusters = (): ClusterState => ({ clusters: new Map(), jobs: new Map() })

/** The jobs of a cluster, oldest first. */
export const jobsOf = (state: ClusterState, clusterId: string): readonly Job[] =>
  [...state.jobs.values()].filter(job => job.clusterId === clusterId)
