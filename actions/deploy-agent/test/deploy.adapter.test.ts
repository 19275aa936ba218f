import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { cognito, type OfflineCloud } from '@gpu-actions/offline-cloud'
import { commandLines, endPrograms, masks, python, shown, startCloud, startRig, type Rig } from './fixtures/rig.ts'

jest.setTimeout(180_000)

const needsPython = python === '' && process.env['CI'] !== 'true' ? describe.skip : describe

let cloud: OfflineCloud
let rig: Rig
beforeAll(async () => void (cloud = await startCloud()))
afterAll(async () => {
  await cloud.stop()
  await endPrograms()
})
beforeEach(async () => void (rig = await startRig(cloud)))
afterEach(async () => {
  await fetch(`${cloud.url}/_offline/faults`, { method: 'DELETE' })
  await rig.end()
})

needsPython('deploy-agent', () => {
  test('registers the machine, brings its agent to life, and tells who it is', async () => {
    const step = await rig.main()
    expect(step.log).not.toContain('::error')
    expect(step.exitCode).toBe(0)
    const [cluster, ...more] = rig.clusters()
    expect(more).toEqual([])
    expect(cluster).toMatchObject({ name: `ci-gpu-bench-${rig.leaseId}`, region: 'us-west-2', status: 'active' })
    expect(step.outputs).toMatchObject({ 'cluster-id': cluster?.id, 'agent-version': cluster?.agentVersion })
    expect(Number(step.outputs['activation-seconds'])).toBeGreaterThan(0)
    expect(await rig.record()).toMatchObject({ status: 'active', leaseId: rig.leaseId, token: null, error: null })
    expect(cloud.state().parameters).toEqual([])
  })
})
