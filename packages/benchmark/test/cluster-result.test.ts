import { describe, expect, test } from '@jest/globals'
import { OutsideFault } from '@gpu-actions/action-kit/ports'
import { parseResult, resultOfJob, type JobFrame } from '../src/index.ts'

const frame: JobFrame = {
  status: 'completed',
  fault: null,
  leaseId: '7-1-aaaaaaaa',
  host: 'i-0123456789abcdef0',
  asked: { epochs: 1, batchSize: 128, allowCpu: false, stepsPerEpoch: null, imageSize: null },
  job: { id: 'j-1', clusterId: 'c-1', api: 'api.example.com', status: 'succeeded', durationSeconds: 85.6, exitCode: 0 },
  throughput: 343.2,
  startedAt: 0,
  endedAt: 90_000,
}

describe('the result of a job of a cluster', () => {
  test('is a result, with null for all that the API does not tell', () => {
    const result = resultOfJob(frame)
    expect(parseResult(JSON.parse(JSON.stringify(result)))).toEqual(result)
    const { throughput, ...others } = result.metrics
    expect(throughput).toBe(343.2)
    expect(Object.values(others).every(value => value === null)).toBe(true)
    expect(result).toMatchObject({
      device: null,
      environment: null,
      clock: null,
      blocks: [],
      workload: { actual: null },
    })
  })

  test('is neither valid nor not: it says that there are no step times to judge by', () => {
    const { validity } = resultOfJob(frame)
    expect(validity.valid).toBeNull()
    expect(validity.reasons.join()).toContain('no step times')
  })

  test('of a job that failed is not valid, has no figure, and says why', () => {
    const fault = new OutsideFault({ what: 'Job j-1 ended as failed', advice: 'Read its log.' })
    const result = resultOfJob({ ...frame, status: 'failed', fault })
    expect(result).toMatchObject({
      validity: { valid: false, reasons: ['The run did not complete (failed).'] },
      metrics: { throughput: null },
      error: 'Job j-1 ended as failed\nWhat to do: Read its log.',
    })
  })

  test('records sizes that the job was told', () => {
    const asked = { ...frame.asked, stepsPerEpoch: 2, imageSize: 32 }
    expect(resultOfJob({ ...frame, asked }).workload.asked).toMatchObject({ epochs: 1, batchSize: 128, imageSize: 32 })
  })
})
