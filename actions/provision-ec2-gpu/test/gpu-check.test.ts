import { describe, expect, test } from '@jest/globals'
import { askGpus, gpuCheckScript, readGpuAnswer, type GpuHost } from '../src/gpu-check.ts'

const line = (answer: object): string => `noise\ngpu-actions-gpu ${JSON.stringify(answer)}\n`
const host = (output: string, exitCode = 0): GpuHost => ({ run: async () => ({ exitCode, output }) })
const { signal } = new AbortController()

describe('what the GPUs answer', () => {
  test('is taken when the driver starts and shows them', () => {
    expect(readGpuAnswer(line({ code: 0, count: 8, name: 'NVIDIA A100', error: '' }))).toEqual({
      kind: 'gpus',
      count: 8,
      name: 'NVIDIA A100',
    })
  })

  test.each([
    [line({ code: 802, count: 0, name: '', error: '' }), 'fabric manager'],
    [line({ code: 100, count: 0, name: '', error: '' }), 'CUDA error 100'],
    [line({ code: null, count: 0, name: '', error: 'libcuda.so.1: not found' }), 'no NVIDIA driver'],
    [line({ code: 0, count: 0, name: '', error: '' }), 'CUDA error 0'],
    ['nothing of ours', 'no answer'],
    ['gpu-actions-gpu {"code":', 'half an answer'],
    ['gpu-actions-gpu null', 'no NVIDIA driver'],
  ])('of %j is not yet there', (output, reason) => {
    const answer = readGpuAnswer(output)
    expect(answer.kind === 'not-yet' ? answer.reason : '').toContain(reason)
  })

  test('is not complete while fewer answer than the type has', async () => {
    const output = line({ code: 0, count: 7, name: 'NVIDIA H100', error: '' })
    expect(await askGpus(host(output), 8, signal)).toEqual({ kind: 'not-yet', reason: '7 of 8 GPUs answer' })
    expect(await askGpus(host(output), 7, signal)).toMatchObject({ kind: 'gpus' })
  })

  test('cannot be had without Python, which no waiting changes', async () => {
    await expect(askGpus(host('no Python on this machine', 1), 1, signal)).rejects.toThrow('exit code 1')
  })

  test('is asked of libcuda itself', () => {
    expect(gpuCheckScript).toContain('libcuda.so.1')
  })
})
