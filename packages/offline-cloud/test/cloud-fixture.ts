import { CognitoIdentityProviderClient } from '@aws-sdk/client-cognito-identity-provider'
import { EC2Client, RunInstancesCommand, type RunInstancesCommandInput } from '@aws-sdk/client-ec2'
import { SSMClient } from '@aws-sdk/client-ssm'
import { STSClient } from '@aws-sdk/client-sts'
import { setTimeout as delay } from 'node:timers/promises'
import { describe } from '@jest/globals'
import { images, startOfflineCloud, type CloudState, type OfflineCloud, type Scenario } from '../src/index.ts'
import { isolation, type Machine } from '../src/machine/index.ts'
import { serveCloud } from '../src/serve.ts'

/** Keys as a client gets them; `sessionToken` for those that STS gives out. */
export interface Keys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

export interface Rig {
  readonly cloud: OfflineCloud
  readonly ec2: EC2Client
  readonly ssm: SSMClient
  readonly sts: STSClient
  readonly cognito: CognitoIdentityProviderClient
  /** Moves the cloud's time by its control endpoint. */
  readonly advance: (seconds: number) => Promise<void>
  /** Fresh clients for another region or other keys. */
  readonly clients: (options: { readonly region?: string; readonly keys?: Keys }) => Clients
}

export interface Clients {
  readonly ec2: EC2Client
  readonly ssm: SSMClient
  readonly sts: STSClient
  readonly cognito: CognitoIdentityProviderClient
}

/** Skipped where this computer has no namespaces: there a machine runs nobody's own scripts. */
export const describeWithMachines = isolation === 'namespaces' ? describe : describe.skip

/** Long delays, so that nothing happens before a test moves the clock. */
export const slow = {
  pendingSeconds: 10,
  registrationSeconds: 20,
  shutdownSeconds: 10,
  consistencySeconds: 0,
  releaseSeconds: 5,
}

// A machine without processes: for what is about EC2 alone.
const emptyMachine = (): Machine => ({
  boot: async () => {},
  execute: async () => ({ exitCode: 0, stdout: '', stderr: '', timedOut: false }),
  cancel: () => {},
  reboot: async () => {},
  kill: async () => {},
  clockMoved: () => {},
  poweredOff: new Promise(() => {}),
  consoleOutput: () => 'booted\n',
})

const running: OfflineCloud[] = []

/** A cloud whose machines are empty unless `machines` is `real`. */
export async function startRig(options: { scenario?: Scenario; machines?: 'real' | 'empty' } = {}): Promise<Rig> {
  const scenario = options.scenario ?? { timings: slow }
  const cloud =
    options.machines === 'real'
      ? await startOfflineCloud({ scenario, python: null })
      : await serveCloud({ scenario, python: null }, emptyMachine)
  running.push(cloud)
  const own: Keys = {
    accessKeyId: cloud.env['AWS_ACCESS_KEY_ID'] ?? '',
    secretAccessKey: cloud.env['AWS_SECRET_ACCESS_KEY'] ?? '',
  }
  const clients: Rig['clients'] = ({ region = 'us-west-2', keys = own }) => {
    const configuration = { endpoint: cloud.url, region, credentials: keys, maxAttempts: 1 }
    return {
      ec2: new EC2Client(configuration),
      ssm: new SSMClient(configuration),
      sts: new STSClient(configuration),
      cognito: new CognitoIdentityProviderClient(configuration),
    }
  }
  return {
    cloud,
    ...clients({}),
    clients,
    async advance(seconds) {
      const body = JSON.stringify({ advanceSeconds: seconds })
      await fetch(`${cloud.url}/_offline/clock`, { method: 'POST', body })
    },
  }
}

/** Stops the clouds of a test. */
export async function stopRigs(): Promise<void> {
  await Promise.all(running.splice(0).map(cloud => cloud.stop()))
}

/** The name of the error that a call ends with, `none` when it succeeds. */
export async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'none'
  } catch (error) {
    return error instanceof Error ? error.name : String(error)
  }
}

/** Looks until something is there. */
export async function eventually<T>(look: () => Promise<T | undefined>, seconds = 20): Promise<T> {
  const deadline = Date.now() + seconds * 1000
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (Date.now() > deadline) throw new Error(`nothing came within ${seconds} s`)
    await delay(50)
  }
}

/** What lives according to the state endpoint: nothing but `more`. */
export const living = (more: Partial<CloudState['living']> = {}): CloudState['living'] => ({
  instances: 0,
  volumes: 0,
  interfaces: 0,
  clusters: 0,
  spotRequests: 0,
  parameters: 0,
  ...more,
})

/** The newest PyTorch image of us-west-2. */
export const imageId = images.find(image => image.region === 'us-west-2')?.id ?? ''

/** A launch that works; a test changes what it is about. */
export const launchInput = (more: Partial<RunInstancesCommandInput> = {}): RunInstancesCommandInput => ({
  ImageId: imageId,
  InstanceType: 'g5.2xlarge',
  MinCount: 1,
  MaxCount: 1,
  IamInstanceProfile: { Name: 'gpu-bench-instance' },
  ...more,
})

/** Launches and gives the id of the first instance. */
export async function launch(rig: Clients, more: Partial<RunInstancesCommandInput> = {}): Promise<string> {
  const { Instances } = await rig.ec2.send(new RunInstancesCommand(launchInput(more)))
  return Instances?.[0]?.InstanceId ?? ''
}
