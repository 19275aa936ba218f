import { environmentKey } from '@gpu-actions/benchmark'
import { describe, expect, test } from '@jest/globals'
import { makeReport } from '../src/report.ts'
import { parseEvidence, type Evidence } from '../src/schema.ts'
import { makeSummary } from '../src/summary.ts'
import { worthOf } from '../src/worth.ts'
import { jobResult, lease, receipt, result } from './fixtures/records.ts'
import { telemetry, watched, watchedEvidence } from './fixtures/watched.ts'

/** The cells of the row whose first cells are these words, after them. */
function cells(markdown: string, ...first: readonly string[]): readonly string[] | undefined {
  const rows = markdown.split('\n').filter(line => line.startsWith('| '))
  const split = rows.map(line => line.split(/(?<!\\)\|/).slice(1, -1).map(cell => cell.trim())) // prettier-ignore
  return split.find(row => first.every((cell, index) => row[index] === cell))?.slice(first.length)
}

const withResult = (changed: Evidence['result']): Evidence => {
  const known = { result: changed, lease, receipt }
  return { ...watchedEvidence, ...known, ...worthOf(known) }
}

describe('what a result is worth', () => {
  const report = makeReport(watchedEvidence)

  test('is set beside the data of the GPU and the price of the machine of the lease', () => {
    // 639.4 images/s on two A10G of 70 TFLOP/s: 24.4 GFLOP an image; $1.212 an hour; 4000 J for 12,800 images.
    expect(watchedEvidence.ratios?.mfu).toBeCloseTo((319.7 * 24.4e9) / 70e12, 10)
    expect(watchedEvidence.ratios?.costPerMillionImages).toBeCloseTo((1.212 / (639.4 * 3600)) * 1e6, 10)
    expect(watchedEvidence.ratios?.joulesPerImage).toBe(0.3125)
    expect(cells(report, 'MFU')?.[0]).toBe('11.1 %')
    // Compiled, 24.4 GFLOP over 0.351 GB at 450 GB/s allow 31.3 TFLOP/s.
    expect(cells(report, 'roofline ratio')?.[0]).toBe('24.9 %')
    expect(cells(report, 'cost per million images')?.[0]).toBe('\\$0.5265')
    expect(cells(report, 'joules per image')?.[0]).toBe('0.313')
  })

  test('names the source of the anchor, or says that there is none', () => {
    expect(cells(report, 'anchor ratio')).toEqual(['–', 'no published figure for this GPU, mode, precision and image size'])
    const anchored = withResult({ ...watched, device: 'NVIDIA A100-SXM4-80GB' })
    const { anchor = null } = anchored.ratios ?? {}
    if (anchor === null) throw new Error('the table has an anchor for this GPU')
    const [value, source] = cells(makeReport(anchored), 'anchor ratio') ?? []
    expect(value).toMatch(/^\d+\.\d+ %$/)
    expect(source).toContain(`images/s, ${anchor.of.stack.split(/\W/)[0]}`)
    expect(source).toContain(anchor.of.source.split(/\W/)[0])
    expect(parseEvidence(JSON.parse(JSON.stringify(anchored))).ratios).toEqual(anchored.ratios)
  })

  test('is a dash wherever an input is missing, never 0', () => {
    const onCpu = withResult({ ...result, device: 'cpu', backend: 'cpu' })
    const unpriced = { ...onCpu, ...worthOf({ result: onCpu.result, lease: null, receipt: null }) }
    const report = makeReport(unpriced)
    for (const ratio of ['MFU', 'roofline ratio', 'anchor ratio', 'cost per million images', 'joules per image']) {
      expect(cells(report, ratio)?.[0]).toBe('–')
    }
    expect(makeSummary(unpriced, null)).not.toContain('Ratios')
  })

  test('adds one line to the summary', () => {
    expect(cells(makeSummary(watchedEvidence, null), 'Ratios')).toEqual(['MFU 11.1 %, \\$0.5265 per million images'])
  })

  test('comes with the environment key of the result and what it is for', () => {
    const key = environmentKey(watched)
    expect(watchedEvidence.environmentKey).toEqual(key)
    expect(report).toContain(`Environment key: ${key.key}. Two results may be compared when their keys are equal`)
  })

  test('has no key where the host told nothing of itself: all of those would be equal', () => {
    expect(worthOf({ result: jobResult, lease, receipt }).environmentKey).toBeNull()
    expect(makeReport(withResult(jobResult))).toContain('Environment key: –. The host told nothing of itself.')
  })

  test('is nothing without a result', () => {
    expect(worthOf({ result: null, lease, receipt })).toEqual({ ratios: null, environmentKey: null })
    expect(makeReport(withResult(null))).not.toContain('## Ratios')
  })

  test('is null in evidence from before, which stays readable', () => {
    const { ratios, environmentKey: key, ...before } = watchedEvidence
    expect([ratios, key]).not.toContain(null)
    const read = parseEvidence(JSON.parse(JSON.stringify(before)))
    expect([read.ratios, read.environmentKey]).toEqual([null, null])
    expect(makeReport(read)).not.toMatch(/## Ratios|undefined|NaN/)
  })
})

describe('what the host showed', () => {
  const report = makeReport(watchedEvidence)

  test('holds each check that did not pass, with what was read and wanted', () => {
    expect(report).toContain('Outcome: warn (level quick, 12.5 s): 1 of 3 checks passed.')
    expect(cells(report, 'memory-bandwidth', '1')).toEqual(
      ['warn', 'slower than others', '450 GB/s', 'at least 480 GB/s', 'data sheet × 0.8'], // prettier-ignore
    )
    expect(cells(report, 'dcgm', '–')?.slice(0, 3)).toEqual(['skipped', 'dcgmi is not installed', '–'])
    expect(cells(report, 'driver-library')).toBeUndefined()
  })

  test('holds the telemetry of host and GPUs; what could not be read is a dash', () => {
    expect(cells(report, 'looks')).toEqual(['20 in 20.1 s, source nvml'])
    expect(cells(report, "others' processes on the GPUs")).toEqual(['0'])
    expect(cells(report, 'Xids')).toEqual(['none'])
    expect(cells(report, 'energy of all GPUs')).toEqual(['4000 J'])
    expect(cells(report, '0', '90.0 (81.0 to 99.0)')?.slice(1)).toEqual(
      ['200 (180 to 220)', '60.0 (54.0 to 66.0)', '1500 (1350 to 1650)', '–', 'software\\_power\\_cap', '12.0', '0'], // prettier-ignore
    )
    expect(cells(report, '1', '90.0 (81.0 to 99.0)')?.slice(1)).toEqual(
      ['–', '60.0 (54.0 to 66.0)', '1500 (1350 to 1650)', '–', '–', '–', '–'], // prettier-ignore
    )
  })

  test('holds what a host without a GPU has', () => {
    const bare = { ...telemetry, source: null, gpus: [], energyJoules: null, foreignGpuProcesses: null, xids: null }
    const report = makeReport(withResult({ ...watched, telemetry: bare }))
    expect(cells(report, 'Xids')).toEqual(['–'])
    expect(report).not.toContain('SM clock')
  })

  test('holds compile time, training on one batch and the notice of the cloud', () => {
    expect(cells(report, 'compile')).toEqual(['34.2 s, 3 graphs'])
    expect(cells(report, 'training on one batch')).toEqual(['loss 7.100 → 2.500 in 8 steps'])
    expect(cells(report, 'interrupted')).toEqual(['terminate at 2026-08-17T10:05:00Z, by notice'])
  })

  test('holds how several GPUs shared the work', () => {
    expect(cells(report, 'scaling efficiency')).toEqual(['96.9 %'])
    expect(cells(report, 'the first alone')).toEqual(['330.0 images/s'])
    expect(cells(report, '1', 'NVIDIA A10G')).toEqual(['319.4'])
  })

  test('has no section for what the result does not hold', () => {
    const plainRun = makeReport(withResult({ ...result, firstStep: null, sanity: null }))
    expect(plainRun).not.toMatch(/## (Preflight|Telemetry|Scaling)|compile|first step|one batch|interrupted/)
  })
})
