import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RunInstancesCommand } from '@aws-sdk/client-ec2'
import { PutParameterCommand } from '@aws-sdk/client-ssm'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { awsClients, ssmHost, waitForRegistration, type AwsClients } from '@gpu-actions/aws'
import { images } from '@gpu-actions/offline-cloud'
import type { Host } from '@gpu-actions/host'
import { diagnose, installAgent, removeAgent, waitForActive, waitForJob } from '../src/index.ts'
import { agentFile, hasty, quiet, startRig, zipapp, type Rig } from './rig.ts'

/** A rented machine of the offline cloud, with the real benchmark, as the actions use them. */
let rig: Rig
let host: Host
let clients: AwsClients
let folder: string
const region = 'us-west-2'
const parameter = '/gpu-actions/lease-1/token'
/** Skipped where no Python with PyTorch was set up, except in CI, where that is a failure. */
const describeWithTorch =
  process.env['GPU_ACTIONS_PYTHON'] === undefined && process.env['CI'] !== 'true' ? describe.skip : describe

describeWithTorch('A rented machine', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gpu-actions-zipapp-'))
    rig = await startRig({ scenario: { timings: { consistencySeconds: 0.05, deliverySeconds: 0.02 } } })
    process.env['AWS_ENDPOINT_URL'] = rig.cloud.env['AWS_ENDPOINT_URL']
    const accessKeyId = rig.cloud.env['AWS_ACCESS_KEY_ID'] ?? ''
    const secretAccessKey = rig.cloud.env['AWS_SECRET_ACCESS_KEY'] ?? ''
    clients = awsClients({ region, credentials: { accessKeyId, secretAccessKey } })
    const image = images.find(one => one.region === region && one.architecture === 'x86_64')
    const { Instances } = await clients.ec2Once().send(
      new RunInstancesCommand({
        ImageId: image?.id ?? '',
        InstanceType: 'g5.2xlarge',
        MinCount: 1,
        MaxCount: 1,
        IamInstanceProfile: { Name: 'gpu-bench-instance' },
      }),
    )
    const target = { clients, instanceId: Instances?.[0]?.InstanceId ?? '', clock: hasty, log: quiet }
    await waitForRegistration(target, { deadline: Date.now() + 30_000, diagnose: () => Promise.resolve('') })
    host = ssmHost(target)
  }, 60_000)
  afterAll(async () => {
    await rig.stop()
    await rm(folder, { recursive: true, force: true })
  })

  test('joins as a service with a token from a parameter, and measures with real PyTorch', async () => {
    const ports = { clock: hasty, log: quiet }
    const cluster = await rig.api.register({ name: 'ci-gpu-bench', region })
    const secret = await rig.api.onboardingToken(cluster.id)
    await clients.ssm().send(new PutParameterCommand({ Name: parameter, Value: secret, Type: 'SecureString' }))
    const installed = await installAgent(
      host,
      {
        agent: await agentFile(),
        program: await zipapp(folder),
        settings: {
          apiBase: rig.cloud.clusterApi,
          clusterId: cluster.id,
          tenantId: cluster.tenantId,
          execution: 'process',
          pollSeconds: 0.5,
          benchmark: { allowCpu: true, stepsPerEpoch: 2, imageSize: 32, threads: 1 },
        },
        token: { kind: 'ssm-parameter', name: parameter, region },
        lifetimeMs: 600_000,
      },
      quiet,
    )
    expect(installed.jobId).toBeNull()
    await waitForActive(rig.api, cluster, ports, { timeoutMs: 60_000 })
    const id = await rig.api.startJob(cluster.id, { epochs: 1, batchSize: 2 })
    const outcome = await waitForJob(rig.api, { clusterId: cluster.id, id }, ports, { timeoutMs: 120_000 })
    expect(outcome.fault?.message ?? '').toBe('')
    expect(outcome.report?.throughput).toBeGreaterThan(0)
    const { text } = await diagnose(host, { apiBase: rig.cloud.clusterApi, secrets: [cluster.id] })
    expect(text).toContain('job-finished')
    expect(text).toContain('HTTP 200')
    const { exitCode } = await host.run('systemctl is-active gpu-actions-agent.service\n')
    expect(exitCode).toBe(0)
    await removeAgent(host)
    const left = await host.run(
      'systemctl is-active gpu-actions-agent.service; ls /var/lib/gpu-actions-agent /etc/gpu-actions\n',
    )
    expect(left.output).not.toMatch(/^active|agent\.json|programs/m)
    const seen = rig.cloud.state()
    expect(seen.parameters.map(({ name }) => name)).not.toContain(parameter)
    expect(JSON.stringify(seen)).not.toContain(secret)
    expect(text).not.toContain(secret)
  }, 240_000)
})
