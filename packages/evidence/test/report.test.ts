import { describe, expect, test } from '@jest/globals'
import * as fc from 'fast-check'
import { makePicture } from '../src/picture.ts'
import { makeReport } from '../src/report.ts'
import type { Evidence } from '../src/schema.ts'
import { makeSummary } from '../src/summary.ts'
import { watchedEvidence } from './fixtures/watched.ts'
import { agent, attempts, clusterReceipt, jobResult, lease, receipt, records, result, run, withTexts } from './fixtures/records.ts'

const whole: Evidence = {
  schema: 'gpu-actions/evidence@1',
  run,
  ...records,
  agent: null,
  environment: result.environment,
  ratios: null,
  environmentKey: null,
  verdict: null,
  missing: [],
}
const nothing: Evidence = {
  ...whole,
  lease: null,
  attempts: null,
  environment: null,
  result: null,
  receipt: null,
  missing: [{ name: 'receipt', reason: 'there is no receipt.json' }],
}
const cluster: Evidence = { ...whole, agent, result: jobResult, receipt: clusterReceipt, environment: null }
const artifact = { name: 'benchmark-evidence-g5.2xlarge-7', url: `${run.url}/artifacts/1` }

/** The cells of the row that begins with these words. */
const row = (markdown: string, first: string): string | undefined =>
  markdown
    .split('\n')
    .find(line => new RegExp(`^\\| ${first} +\\|`).test(line))
    ?.split(/(?<!\\)\|/)[2]
    ?.trim()

describe('the report', () => {
  const report = makeReport(whole)

  test('begins with the figure, its interval, its device and whether it is valid', () => {
    expect(report.split('\n').slice(0, 3)).toEqual([
      '# ResNet-50 on g5.2xlarge: 639.4 images/s',
      '',
      '**639.4 images/s (95 % interval 637.1 to 641.6 within this run)**, train, on **NVIDIA A10G**: valid.',
    ])
  })

  test('tells what was rented, for how long, what it cost and that it is gone', () => {
    expect(row(report, 'machine')).toBe('g5.2xlarge, i-0123456789abcdef0, us-west-2b')
    expect(row(report, 'price')).toBe('\\$1.212 an hour (Pricing API, 2026-08-17)')
    expect(row(report, 'billed')).toBe('597 s')
    expect(row(report, 'cost')).toBe('\\$0.201')
    expect(row(report, 'teardown')).toBe('0 remaining, 1 machine seen gone')
  })

  test('tells why a machine cost nothing, and what its cost holds beside it', () => {
    const [machine] = receipt.machines
    if (machine === undefined) throw new Error('a receipt without a machine')
    const storage = { what: 'storage', usdPerHour: 0.0049, source: 'Price List', date: '2026-11-27' } as const
    const taken = { ...machine, freeOfCharge: 'the provider took it back', extras: [storage], idleSeconds: 12 }
    const report = makeReport({ ...whole, receipt: { ...receipt, machines: [taken] } })
    expect(report).toContain('itself cost nothing: the provider took it back')
    expect(report).toContain('in its cost: storage \\$0.0049 an hour')
    expect(report).toMatch(/\b12(\.0)? s\b/)
  })

  test('shows environment, blocks and attempts', () => {
    expect(row(report, 'torch.version')).toBe('2.9.0')
    expect(row(report, 'gpu.devices.0.name')).toBe('NVIDIA A10G')
    expect(row(report, 'driver')).toBe('–')
    expect(report).toContain('xychart-beta')
    expect(report).toMatch(/\| 5 +\| 20 +\|/)
    expect(report).toContain('capacity (InsufficientInstanceCapacity)'.replace('(', '\\(').replace(')', '\\)'))
    expect(report).toContain('launched i-0123456789abcdef0')
  })

  test('never shows a GPU where there was none', () => {
    const onCpu = { ...whole, environment: {}, result: { ...result, device: 'cpu', backend: 'cpu' as const } }
    expect(makeReport(onCpu)).toContain('on **cpu**')
    expect(row(makeSummary(onCpu, null), 'Device')).toBe('cpu')
  })

  test('says why figures should not be used', () => {
    const validity = { valid: false, reasons: ['The steps were unsteady.'] }
    const doubtful = { ...whole, result: { ...result, validity } }
    expect(makeReport(doubtful)).toContain('**not valid**.\n\n- The steps were unsteady.')
    expect(makeSummary(doubtful, null)).toMatch(/: not valid\n[^]*- Not valid: The steps were unsteady\./)
  })

  test('names both batch sizes when the memory did not suffice', () => {
    const actual = result.workload.actual === null ? null : { ...result.workload.actual, batchSize: 64 }
    const halved = { ...whole, result: { ...result, workload: { ...result.workload, actual } } }
    expect(row(makeReport(halved), 'batch size')).toBe('64 (asked for 128)')
  })

  test('says what is left, with the link and the command that ends it', () => {
    const left = [
      {
        kind: 'volume' as const,
        id: 'vol-1',
        place: lease.places[0] ?? { account: '', region: '' },
        state: 'available',
        consoleLink: 'https://us-west-2.console.aws.amazon.com/ec2/home?region=us-west-2#VolumeDetails:volumeId=vol-1',
        byHand: 'aws ec2 delete-volume --volume-id vol-1',
      },
    ]
    const open = makeReport({ ...whole, receipt: { ...receipt, left, remaining: 1 } })
    expect(row(open, 'teardown')).toContain('**1 remaining**')
    expect(open).toContain('```sh\naws ec2 delete-volume --volume-id vol-1\n```')
    expect(open).toContain('[Console](https://us-west-2.console.aws.amazon.com/')
  })

  test('tells a machine that is still shutting down from one that was seen gone', () => {
    const machines = receipt.machines.map(machine => ({ ...machine, state: 'ending' as const, goneAt: null }))
    const ending = { ...whole, receipt: { ...receipt, machines, ending: ['i-0123456789abcdef0'] } }
    expect(row(makeReport(ending), 'teardown')).toBe(
      '0 remaining, 0 machines seen gone, 1 machine still shutting down (not billed)',
    )
  })

  test('stays readable with hundreds of blocks and attempts', () => {
    const [block] = result.blocks
    const [attempt] = attempts.attempts
    const many = makeReport({
      ...whole,
      attempts: { ...attempts, attempts: Array(500).fill(attempt) as typeof attempts.attempts },
      result: { ...result, blocks: Array(500).fill(block) as typeof result.blocks },
    })
    expect(many.split('\n').length).toBeLessThan(300)
    expect(many).toContain('440 more blocks are in `evidence.json`.')
  })
})

describe('a job of a cluster', () => {
  const [report, summary] = [makeReport(cluster), makeSummary(cluster, artifact)]

  test('shows its cluster, its agent and its id, in report and summary', () => {
    for (const [page, name] of [
      [report, (text: string) => text],
      [summary, (text: string) => `${text[0]?.toUpperCase()}${text.slice(1)}`],
    ] as const) {
      expect(row(page, name('cluster'))).toBe('ci-gpu-bench-42 at api.example.com, deleted')
      expect(row(page, name('agent version'))).toBe('0.1.0')
      expect(row(page, name('cluster active after'))).toBe('12.5 s')
      expect(row(page, name('job'))).toBe('job-1, succeeded')
    }
  })

  test('does not tell the id of the cluster, which logs mask', () => {
    expect(report + summary).not.toContain('canary-cluster')
  })

  test('tells its figure, that nobody could judge it, and whose GPU it may have been', () => {
    expect(report).toContain(
      '**343.2 images/s (without an interval)**, train, on **NVIDIA A10G (of the machine; the job does not tell)**: not judged.',
    )
    expect(summary).toContain('## GPU benchmark on g5.2xlarge: 343.2 images/s')
    expect(summary).toContain('- Not judged: There are no step times.')
    expect(row(summary, 'Duration')).toBe('85.6 s (the whole command)')
    expect(row(summary, 'Batch size')).toBe('128 (asked for)')
  })

  test('shows what it was not told as a dash', () => {
    for (const what of ['image size', 'precision', 'memory format', 'step']) expect(row(report, what)).toBe('–')
    expect(report).not.toMatch(/undefined|NaN|null/)
  })

  test('shows every resource that ended with the machine', () => {
    expect(row(report, 'teardown')).toBe('0 remaining, 1 machine seen gone, cluster seen gone, parameter seen gone')
    expect(report).toMatch(/\| cluster +\| ci-gpu-bench-42 +\| api\.example\.com +\| 2026-08-17T10:10:30\.000Z/)
  })

  test('says what of the cluster is left, under its name', () => {
    const left = [
      { kind: 'cluster', id: 'x', name: agent.clusterName, place: null, state: 'still there', consoleLink: 'https://api.example.com', byHand: 'curl -X DELETE' },
    ] // prettier-ignore
    const resources = clusterReceipt.resources.map(one => ({ ...one, goneAt: null, problem: 'it did not answer' }))
    const open = makeReport({ ...cluster, receipt: { ...clusterReceipt, resources, left, remaining: 1 } })
    expect(open).toContain('### Left: cluster ci-gpu-bench-42, still there')
    expect(open).toContain('it did not answer')
  })

  test('without a receipt is not proved to have ended, although the machine was not rented', () => {
    const own = { ...cluster, lease: null, attempts: null, receipt: null, result: { ...jobResult, leaseId: null } }
    expect(row(makeSummary(own, null), 'Teardown')).toBe('**not proved**: there is no receipt')
  })
})

test('a host that was not rented has nothing to end', () => {
  const own = { ...whole, lease: null, attempts: null, receipt: null, result: { ...result, leaseId: null } }
  expect(row(makeSummary(own, null), 'Teardown')).toBe('nothing to end: the host was not rented')
  const leased = { ...own, result }
  expect(row(makeSummary(leased, null), 'Teardown')).toBe('**not proved**: there is no receipt')
})

test('the median of a block lies between its two middle steps', () => {
  const [block] = result.blocks
  const blocks = [{ ...block, stepMs: [100, 300, 200, 400], wallMs: 1000, lossFirst: null, lossLast: null }]
  expect(makeReport({ ...whole, result: { ...result, blocks } })).toMatch(/\| 100\.0 +\| 250\.0 +\| 400\.0 +\|/)
})

describe('what nobody measured', () => {
  test('is a dash, never 0', () => {
    const metrics = {
      throughput: null,
      throughputLow: null,
      throughputHigh: null,
      latencyMs: null,
      durationSeconds: null,
      images: null,
      peakMemoryBytes: null,
    }
    const failed = {
      ...whole,
      result: { ...result, status: 'failed' as const, metrics, blocks: [], error: 'It crashed.', validity: { valid: false, reasons: [] } },
      receipt: { ...receipt, costUsd: null, billedSeconds: null },
    } // prettier-ignore
    const report = makeReport(failed)
    for (const what of ['throughput', 'step', 'peak memory', 'billed', 'cost']) expect(row(report, what)).toBe('–')
    expect(report).toContain('- It crashed.')
    const summary = makeSummary(failed, null)
    for (const what of ['Throughput', 'Duration', 'Cost']) expect(row(summary, what)).toBe('–')
  })

  test('leaves a report that says so when there is no record at all', () => {
    const report = makeReport(nothing)
    expect(report).toContain('# ResNet-50 on –: no result')
    expect(row(report, 'teardown')).toBe('**not proved**: there is no receipt')
    expect(report).toContain('- receipt: there is no receipt.json')
    expect(report).not.toMatch(/undefined|NaN|null/)
  })
})

describe('the summary', () => {
  test('holds the figures that one looks for first, and the link', () => {
    const summary = makeSummary(whole, artifact)
    expect(summary).toContain('## GPU benchmark on g5.2xlarge: 639.4 images/s')
    expect(row(summary, 'Instance type')).toBe('g5.2xlarge')
    expect(row(summary, 'Throughput')).toBe('639.4 images/s (95 % interval 637.1 to 641.6 within this run)')
    expect(row(summary, 'Duration')).toBe('20.1 s')
    expect(row(summary, 'Epochs')).toBe('1')
    expect(row(summary, 'Batch size')).toBe('128')
    expect(row(summary, 'Cost')).toBe('\\$0.201')
    expect(row(summary, 'Teardown')).toBe('0 remaining, 1 machine seen gone')
    expect(row(summary, 'Evidence')).toBe(`[${artifact.name}](${artifact.url})`)
  })

  test('names what is missing', () => {
    expect(makeSummary(nothing, null)).toContain('- Missing: receipt \\(there is no receipt.json\\)')
  })
})

describe('hostile records', () => {
  const fixed = new Set(
    ['gpu-actions/lease@1', 'gpu-actions/attempts@1', 'gpu-actions/receipt@1', 'gpu-actions/result@1', 'gpu-actions/evidence@1']
      .concat(['on-demand', 'terminates', 'terminate', 'running', 'gpu', 'gone', 'refused', 'capacity', 'launched', 'completed'])
      .concat(['gpu-actions/agent@1', 'reference', 'deleted'])
      .concat(['cuda', 'train', 'auto', 'bf16', 'channels_last', 'device-events']),
  ) // prettier-ignore
  const hostileText = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.string({ unit: fc.constantFrom(...Array.from('ab|<>`[]()*_#\n\r:/!&@~$"\'\u001b\u202e ')), maxLength: 40 }),
    fc.constantFrom('x\n\n# owned', '| a | b |', '<script>', '![x](http://evil)', '```\n# owned', ']]>', '</svg><script>'),
  )

  test('change no line and no cell of report and summary', () => {
    // The same shape with harmless words tells how many lines and cells there must be.
    const lines = (markdown: string): string[] =>
      markdown.split('\n').map(line => (line.startsWith('|') ? `cells ${line.split(/(?<!\\)\|/).length}` : line.slice(0, 2)))
    fc.assert(
      fc.property(fc.constantFrom(whole, cluster, watchedEvidence), hostileText, (evidence, text) => {
        const harmless = { ...withTexts(evidence, () => 'word', fixed), run }
        const hostile = { ...withTexts(evidence, () => `x${text}`, fixed), run }
        expect(lines(makeReport(hostile))).toEqual(lines(makeReport(harmless)))
        expect(lines(makeSummary(hostile, null))).toEqual(lines(makeSummary(harmless, null)))
        expect(makeReport(hostile)).not.toMatch(/(?<!\\)<|(?!\n)\p{Cc}/u)
      }),
      { numRuns: 120 },
    )
  })

  test('open no element in the picture', () => {
    fc.assert(
      fc.property(hostileText, device => {
        const picture = makePicture({ ...result, device })
        const [first, second] = [picture, makePicture({ ...result, device: 'x' })].map(svg => svg?.match(/[<>]/g)?.length)
        expect(first).toBe(second)
      }),
    )
  })
})

describe('the picture', () => {
  test('is left out when no block was finished', () => {
    expect(makePicture({ ...result, blocks: [] })).toBeUndefined()
  })

  test('stays small with two hundred thousand steps', () => {
    const stepMs = Array.from({ length: 40_000 }, (_, index) => 200 + (index % 7))
    const blocks = Array.from({ length: 5 }, () => ({ stepMs, wallMs: 1, lossFirst: null, lossLast: null }))
    expect(makePicture({ ...result, blocks })?.length).toBeLessThan(60_000)
  })

  test('is drawn for any finite step times', () => {
    const ms = fc.double({ min: 0.001, max: 1e7, noNaN: true })
    const block = fc.record({
      stepMs: fc.array(ms, { minLength: 1, maxLength: 30 }),
      wallMs: ms,
      lossFirst: fc.constant(null),
      lossLast: fc.constant(null),
    })
    fc.assert(
      fc.property(fc.array(block, { minLength: 1, maxLength: 20 }), blocks => {
        expect(makePicture({ ...result, blocks })).not.toMatch(/NaN|Infinity|undefined/)
      }),
    )
  })
})
