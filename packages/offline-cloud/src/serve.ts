import { randomUUID } from 'node:crypto'
import { mkdtemp, mkdir, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAdaptorServer, type ServerType } from '@hono/node-server'
import { UnsecuredJWT } from 'jose'
import { createRequestLimits, noLimits } from './aws/request-limits.ts'
import { createCallLog } from './calls.ts'
import { createClock } from './clock.ts'
import type { Cloud } from './cloud.ts'
import { emptyClusters } from './cluster/model.ts'
import { createUserPool } from './cognito/pool.ts'
import { stateOf, type CloudState } from './control/state.ts'
import { emptyEc2 } from './ec2/model.ts'
import { plantInstances } from './ec2/seed.ts'
import { openReservations } from './ec2/reservations.ts'
import { openSpotMarket } from './ec2/spot-market.ts'
import { createFaults, readFaults, type Fault } from './faults.ts'
import { createArtifactStore } from './github/artifact-store.ts'
import { createIssuer } from './github/issuer.ts'
import { accessKeyId, secret } from './ids.ts'
import type { Machine, MachineSpec } from './machine/index.ts'
import { clusterApiOf, readScenario, timingsOf, type Scenario } from './scenario.ts'
import { clusterApiPath, createApp } from './server.ts'
import { emptySsm } from './ssm/model.ts'
import { createSessions } from './sts/sessions.ts'

export interface OfflineCloudOptions {
  /** A free port unless given. */
  readonly port?: number
  readonly scenario?: Scenario
  /** The Python with PyTorch that machines see as /opt/pytorch/bin/python; else $GPU_ACTIONS_PYTHON; null for none. */
  readonly python?: string | null
  /** Where machines and artifacts are kept; else a temporary folder that goes with the cloud. */
  readonly directory?: string
}

/** A running cloud. */
export interface OfflineCloud {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** What points AWS's and GitHub's clients at the cloud. */
  readonly env: Readonly<Record<string, string>>
  /** The base of the cluster API, below which its `/v1/…` and `/health` are. */
  readonly clusterApi: string
  state(): CloudState
  addFaults(faults: readonly Fault[]): void
  /** Ends the machines, then the server. */
  stop(): Promise<void>
}

const listen = (server: ServerType, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })

/** Starts a cloud whose machines are made by `createMachine`. */
export async function serveCloud(
  options: OfflineCloudOptions,
  createMachine: (spec: MachineSpec) => Machine,
): Promise<OfflineCloud> {
  const scenario = readScenario(options.scenario ?? {})
  let app: ReturnType<typeof createApp> | null = null
  const server = createAdaptorServer({
    fetch: (request, env) => app?.fetch(request, env) ?? new Response('starting', { status: 503 }),
  })
  await listen(server, options.port ?? 0)
  const address = server.address() as AddressInfo
  const url = `http://127.0.0.1:${address.port}`
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'offline-cloud-')))
  await mkdir(directory, { recursive: true })

  const clock = createClock()
  const cloud: Cloud = {
    directory,
    url: () => url,
    python: options.python === undefined ? (process.env['GPU_ACTIONS_PYTHON'] ?? null) : options.python,
    clock,
    timings: timingsOf(scenario),
    startedAt: clock.now(),
    capacity: scenario.capacity ?? {},
    spot: scenario.spot ?? {},
    quotas: scenario.quotas ?? {},
    clusterApi: clusterApiOf(scenario),
    limits: scenario.limits === 'none' ? noLimits : createRequestLimits(() => clock.now()),
    faults: createFaults(() => clock.now()),
    calls: createCallLog(),
    ec2: emptyEc2(),
    ssm: emptySsm(),
    sessions: createSessions(),
    issuer: await createIssuer(`${url}/_github/issuer`, () => clock.now()),
    userPool: await createUserPool(() => clock.now(), scenario.cognito?.tokenSeconds),
    clusters: emptyClusters(),
    artifacts: createArtifactStore(join(directory, 'artifacts')),
    createMachine,
    guestsHaveSystemd: scenario.guests?.systemd ?? true,
    machines: new Map(),
  }
  cloud.faults.add(scenario.faults ?? [])
  plantInstances(cloud, scenario.instances ?? [])
  openReservations(cloud, scenario.reservations ?? [])
  openSpotMarket(cloud)
  clock.onAdvance(() => {
    for (const machine of cloud.machines.values()) machine.clockMoved()
  })
  const requestToken = secret(24)
  app = createApp(cloud, requestToken)

  return {
    url,
    env: environment(url, requestToken),
    clusterApi: `${url}${clusterApiPath}`,
    state: () => stateOf(cloud),
    addFaults: faults => cloud.faults.add(readFaults(faults)),
    async stop() {
      clock.stop()
      await Promise.all([...cloud.machines.values()].map(machine => machine.kill()))
      await closed(server)
      if (options.directory === undefined) await rm(directory, { recursive: true, force: true, maxRetries: 3 })
    },
  }
}

function closed(server: ServerType): Promise<void> {
  return new Promise(resolve => {
    server.close(() => resolve())
    if ('closeAllConnections' in server) server.closeAllConnections()
  })
}

function environment(url: string, requestToken: string): Readonly<Record<string, string>> {
  const scope = `Actions.Results:${randomUUID()}:${randomUUID()}`
  return {
    AWS_ENDPOINT_URL: url,
    AWS_REGION: 'us-west-2',
    AWS_ACCESS_KEY_ID: accessKeyId('AKIA'),
    AWS_SECRET_ACCESS_KEY: secret(30),
    ACTIONS_RESULTS_URL: `${url}/`,
    ACTIONS_RUNTIME_TOKEN: new UnsecuredJWT({ scp: scope }).encode(),
    ACTIONS_ID_TOKEN_REQUEST_URL: `${url}/_github/token?api-version=2.0`,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: requestToken,
  }
}
