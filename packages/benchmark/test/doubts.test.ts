import { describe, expect, test } from '@jest/globals'
import { doubtsOfRecord, type Evidence } from '../src/doubts.ts'
import type { Telemetry } from '../src/telemetry.ts'

const block = { stepMs: Array.from({ length: 20 }, () => 100), wallMs: 2000, lossFirst: 7, lossLast: 2 }
const evidence: Evidence = {
  status: 'completed',
  backend: 'cuda',
  blocks: Array.from({ length: 5 }, () => block),
  telemetry: null,
  interrupted: null,
  notices: { throttled: [], xids: [] },
  sanity: { losses: [7, 6, 5, 4, 3, 2, 1.5, 1], seconds: 1 },
  scaling: null,
  metrics: {
    throughput: 320,
    throughputLow: 319,
    throughputHigh: 321,
    latencyMs: 100,
    durationSeconds: 10,
    images: 3200,
    peakMemoryBytes: null,
  },
}
const doubts = (more: Partial<Evidence>) => doubtsOfRecord({ ...evidence, ...more }, 'train')
const losses = (...found: readonly (number | null)[]) => ({ sanity: { losses: found, seconds: 1 } })

const gpu: Telemetry['gpus'][number] = {
  index: 0,
  samples: 10,
  utilization: null,
  memoryUsedBytes: null,
  powerWatts: null,
  temperatureCelsius: null,
  smClockMhz: null,
  memoryClockMhz: null,
  pcieGeneration: null,
  pcieWidth: null,
  throttleReasonsSeen: null,
  throttledMicroseconds: null,
  energyJoules: null,
  eccCorrected: null,
  eccUncorrected: null,
  rowsRemappedCorrected: null,
  rowsRemappedUncorrected: null,
  pagesRetiredSingle: null,
  pagesRetiredDouble: null,
}
const telemetry: Telemetry = {
  source: 'nvml',
  intervalSeconds: 1,
  samples: 10,
  seconds: 10,
  gpus: [gpu],
  energyJoules: null,
  cpuPercent: null,
  memoryUsedBytes: null,
  foreignCpuShare: null,
  foreignGpuProcesses: null,
  xids: null,
  ownCpuShare: null,
  csvTruncated: false,
  overheadPercent: null,
  stepMsWithout: null,
}
const throttling = {
  hardwareSlowdown: null,
  hardwareThermal: 0,
  powerBrake: 0,
  softwareThermal: 0,
  softwarePowerCap: 9e6,
}
const seen = (more: Partial<Telemetry>) => doubts({ telemetry: { ...telemetry, ...more } })

describe('what telemetry counted in the timed part', () => {
  test('is no doubt where it knows nothing, and none where nothing happened', () => {
    expect(seen({})).toEqual([])
    const calm = { ...gpu, throttledMicroseconds: throttling, eccUncorrected: 0 }
    expect(seen({ gpus: [calm], xids: [], foreignGpuProcesses: 0, foreignCpuShare: 0.02 })).toEqual([])
  })

  test('speaks for the worst GPU', () => {
    const hot = { ...gpu, index: 1, throttledMicroseconds: { ...throttling, hardwareThermal: 20_000 } }
    expect(seen({ gpus: [{ ...gpu, throttledMicroseconds: throttling }, hot] }).join()).toContain('because it was hot')
  })

  test('adds to what was said meanwhile', () => {
    const notices = {
      throttled: [{ at: '2026-11-03T00:01:00Z', gpu: 0, reason: 'power_brake' as const, microseconds: 50_000 }],
      xids: [{ at: '2026-11-03T00:01:00Z', gpu: null, code: 79, message: null }],
    }
    const found = doubts({ notices, telemetry: { ...telemetry, xids: [31, 79] } })
    expect(found.join()).toContain('power brake')
    expect(found.join()).toContain('Xid 31, 79')
  })

  test.each([
    [{ gpus: [{ ...gpu, eccUncorrected: 2 }] }, '2 uncorrected memory errors'],
    [{ foreignGpuProcesses: 1 }, 'Another process used the GPU'],
    [{ foreignCpuShare: 0.51 }, "51 % of the host's CPUs"],
    [{ xids: [79] }, 'Xid 79'],
  ])('%j is a doubt', (more, words) => {
    expect(seen(more).join()).toContain(words)
  })
})

describe('a record', () => {
  test('of a clean run gives no doubt', () => {
    expect(doubts({})).toEqual([])
    expect(doubts({ sanity: null })).toEqual([])
  })

  test('whose loss did not fall on a fixed batch was no training', () => {
    expect(doubts(losses(7, 7, 6.9, 7, 7.1, 7, 6.8, 6.9))).toEqual([
      'The loss did not fall in 8 steps on a fixed batch: what ran was no training.',
    ])
  })

  test('whose loss was not finite at any step was no training', () => {
    expect(doubts(losses(7, null, 1, 1, 1, 1, 1, 1))[0]).toContain('not finite')
  })

  test('is not judged by a few steps, in which momentum overshoots', () => {
    expect(doubts(losses(7, 7, 9))).toEqual([])
  })

  test('with a throttled GPU says for how long', () => {
    const throttled = [
      { at: '2026-11-03T00:01:00Z', gpu: 0, reason: 'hardware_thermal', microseconds: 400_000 } as const,
    ]
    expect(doubts({ notices: { throttled, xids: [] } })[0]).toContain('4 % of the timed part')
  })

  test('of a run that was interrupted says only that', () => {
    expect(doubts({ status: 'interrupted' })).toEqual([
      'The run was interrupted: the spot machine was taken back. There is no figure to use.',
    ])
  })
})
