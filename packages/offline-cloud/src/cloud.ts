import type { RequestLimits } from './aws/request-limits.ts'
import type { CallLog } from './calls.ts'
import type { CloudClock } from './clock.ts'
import type { ClusterState } from './cluster/model.ts'
import type { UserPool } from './cognito/pool.ts'
import type { Ec2State } from './ec2/model.ts'
import type { Faults } from './faults.ts'
import type { ArtifactStore } from './github/artifact-store.ts'
import type { Issuer } from './github/issuer.ts'
import type { Machine, MachineSpec } from './machine/index.ts'
import type { Capacity, ClusterApiShape, Timings } from './scenario.ts'
import type { SsmState } from './ssm/model.ts'
import type { Sessions } from './sts/sessions.ts'
import type { SpotMarket } from './world/markets.ts'
import type { QuotaValues } from './world/quotas.ts'

/** Everything that the services share. */
export interface Cloud {
  /** The cloud's own folder: machines, artifacts. */
  readonly directory: string
  /** Where the cloud answers, known once it listens. */
  readonly url: () => string
  /** The Python with PyTorch that machines get, null for none. */
  readonly python: string | null
  readonly clock: CloudClock
  readonly timings: Timings
  /** When the cloud was started, in ms; schedules and reservations count from here. */
  readonly startedAt: number
  readonly capacity: Capacity
  readonly spot: SpotMarket
  readonly quotas: QuotaValues
  /** Which of the replies that are not certain the cluster API gives. */
  readonly clusterApi: ClusterApiShape
  readonly limits: RequestLimits
  readonly faults: Faults
  readonly calls: CallLog
  readonly ec2: Ec2State
  readonly ssm: SsmState
  readonly sessions: Sessions
  readonly issuer: Issuer
  readonly userPool: UserPool
  readonly clusters: ClusterState
  readonly artifacts: ArtifactStore
  readonly createMachine: (spec: MachineSpec) => Machine
  /** Whether machines have systemd. */
  readonly guestsHaveSystemd: boolean
  /** The machines that run, by instance id. */
  readonly machines: Map<string, Machine>
}

/** A call to AWS: who, where, and what kinds of fault may touch it are settled before an operation sees it. */
export interface Caller {
  readonly region: string
  readonly accessKeyId: string
}
