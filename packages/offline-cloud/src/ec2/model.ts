import type { ImageData } from '../world/images.ts'
import type { InstanceTypeData } from '../world/instance-types.ts'
import type { SecurityGroupData, SubnetData, ZoneData } from '../world/network.ts'

/** The states of an instance with the codes that travel beside them. */
export const stateCodes = {
  pending: 0,
  running: 16,
  'shutting-down': 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
} as const
export type StateName = keyof typeof stateCodes

export type Tags = Readonly<Record<string, string>>

export interface MetadataOptions {
  readonly httpTokens: 'optional' | 'required'
  readonly httpEndpoint: 'enabled' | 'disabled'
  readonly hopLimit: number
  readonly tags: 'enabled' | 'disabled'
}

/** A volume that a launch is to make. Sizes in GiB. */
export interface VolumePlan {
  readonly device: string
  readonly sizeGb: number
  readonly type: string
  readonly iops: number | undefined
  readonly throughput: number | undefined
  readonly encrypted: boolean
  readonly snapshot: string | undefined
  readonly deleteOnTermination: boolean
}

/** All times in ms of the cloud's clock. What has no `readonly` changes during the instance's life. */
export interface Instance {
  readonly id: string
  readonly reservation: string
  readonly launchIndex: number
  readonly region: string
  readonly zone: ZoneData
  readonly type: InstanceTypeData
  readonly image: ImageData
  readonly vpc: string
  readonly subnet: SubnetData
  readonly groups: readonly SecurityGroupData[]
  readonly profile: string | null
  readonly clientToken: string
  readonly launchTime: number
  readonly visibleAt: number
  readonly onShutdown: 'stop' | 'terminate'
  /** How it is paid for, null for on-demand. */
  readonly lifecycle: 'spot' | 'capacity-block' | null
  /** Id of the spot request that it fulfils. */
  readonly spotRequest: string | null
  /** Id of the capacity reservation that it uses. */
  readonly capacityReservation: string | null
  readonly isProtected: boolean
  readonly ebsOptimized: boolean
  readonly userData: Uint8Array | null
  readonly metadata: MetadataOptions
  readonly rootDevice: string
  readonly privateIp: string
  readonly publicIp: string | null
  tags: Tags
  state: StateName
  stateReason: { readonly code: string; readonly message: string } | null
  transition: string
  runningAt: number | null
  terminatedAt: number | null
  ssm: 'offline' | 'online'
  registeredAt: number | null
  /** From when on its status check fails. */
  impairedAt: number | null
  /** The notice that EC2 takes a spot instance away: when it was given, when the instance goes, and why. */
  interruption: Interruption | null
  /** What the machine had printed when it went. */
  console: string
  /** Ids of the volumes and interfaces that it was launched with; they stay listed here when they are gone. */
  readonly volumes: readonly string[]
  readonly interfaces: readonly string[]
}

export interface Volume extends VolumePlan {
  readonly id: string
  readonly region: string
  readonly zone: ZoneData
  readonly created: number
  readonly visibleAt: number
  tags: Tags
  instance: string | null
  state: 'in-use' | 'available'
}

export interface NetworkInterface {
  readonly id: string
  readonly region: string
  readonly zone: ZoneData
  readonly vpc: string
  readonly subnet: SubnetData
  readonly groups: readonly SecurityGroupData[]
  readonly about: string
  readonly privateIp: string
  readonly publicIp: string | null
  readonly mac: string
  readonly attachment: string
  readonly created: number
  readonly visibleAt: number
  readonly deleteOnTermination: boolean
  tags: Tags
  instance: string | null
  state: 'in-use' | 'available'
}

export interface Interruption {
  readonly noticeAt: number
  readonly endsAt: number
  /** What its request comes to. */
  readonly status: 'instance-terminated-no-capacity' | 'instance-terminated-by-price'
}

export interface SpotStatus {
  readonly code: string
  readonly message: string
  readonly at: number
}

/** A spot request, as RunInstances makes one for each instance. */
export interface SpotRequest {
  readonly id: string
  readonly region: string
  readonly type: 'one-time' | 'persistent'
  readonly onInterruption: 'terminate' | 'stop' | 'hibernate'
  /** The most it pays, USD an hour; null for the on-demand price. */
  readonly maxPrice: number | null
  readonly instanceType: InstanceTypeData
  readonly imageId: string
  readonly groups: readonly SecurityGroupData[]
  readonly profile: string | null
  readonly subnet: string | null
  readonly created: number
  readonly visibleAt: number
  /** Launches an instance for it, if there is one to be had; what RunInstances was told beyond a specification is lost. */
  readonly fulfil: () => void
  /** Where its instance was launched. */
  zone: ZoneData | null
  tags: Tags
  instance: string | null
  state: 'open' | 'active' | 'closed' | 'cancelled' | 'disabled'
  status: SpotStatus
}

/** A capacity reservation or a capacity block. `endsAt` is null for one without an end. */
export interface Reservation {
  readonly id: string
  readonly region: string
  readonly zone: ZoneData
  readonly type: InstanceTypeData
  readonly total: number
  readonly kind: 'default' | 'capacity-block'
  readonly created: number
  readonly startsAt: number
  readonly endsAt: number | null
}

/** What a client token stands for: the request it came with and the machines that it made. */
export interface TokenUse {
  readonly request: string
  readonly instances: readonly string[]
}

/** Everything EC2 knows. Deleted volumes and interfaces leave their map; instances stay, for the state endpoint. */
export interface Ec2State {
  readonly instances: Map<string, Instance>
  readonly volumes: Map<string, Volume>
  readonly interfaces: Map<string, NetworkInterface>
  readonly spotRequests: Map<string, SpotRequest>
  readonly reservations: Map<string, Reservation>
  readonly tokens: Map<string, TokenUse>
  /** Counts the addresses that were given out. */
  addresses: number
}

export const emptyEc2 = (): Ec2State => ({
  instances: new Map(),
  volumes: new Map(),
  interfaces: new Map(),
  spotRequests: new Map(),
  reservations: new Map(),
  tokens: new Map(),
  addresses: 0,
})

/** A terminated instance stays visible for this long, in ms. */
export const afterlife = 3_600_000
