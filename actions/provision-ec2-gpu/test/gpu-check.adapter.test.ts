import { spawnSync } from 'node:child_process'
import { describe, expect, test } from '@jest/globals'
import { gpuCheckScript, readGpuAnswer } from '../src/gpu-check.ts'

describe('the check of the GPUs, run for real', () => {
  test('gives an answer that can be read on this machine, with a GPU or without', () => {
    const { status, stdout } = spawnSync('sh', ['-c', gpuCheckScript], { encoding: 'utf8' })
    expect(status).toBe(0)
    const answer = readGpuAnswer(stdout)
    expect(answer.kind === 'gpus' || /no NVIDIA driver|CUDA error/.test(answer.reason)).toBe(true)
  })
})
