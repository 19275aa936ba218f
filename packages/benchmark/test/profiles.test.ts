import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { furtherRuns, preflightOf, profiles, sizesOf } from '../src/profiles.ts'
import { buildArguments } from '../src/wish.ts'
import { profileNames } from '../src/words.ts'

const size = fc.option(fc.integer({ min: 1, max: 4096 }), { nil: undefined })
const given = fc.record({ epochs: size, stepsPerEpoch: size, batchSize: size, imageSize: size })
const names = fc.constantFrom(...profileNames)

describe('a profile', () => {
  test('gives way to every size that is given, on every device', () => {
    fc.assert(
      fc.property(names, given, (name, asked) => {
        const { sizes, onCpu } = sizesOf(name, asked)
        for (const key of ['epochs', 'stepsPerEpoch', 'batchSize', 'imageSize'] as const) {
          expect(sizes[key]).toBe(asked[key] ?? profiles[name].sizes[key])
          expect(onCpu[key]).toBe(asked[key] === undefined ? profiles[name].onCpu[key] : undefined)
        }
      }),
    )
  })

  test('has at least five blocks of two steps, on a CPU too', () => {
    for (const name of profileNames) {
      for (const { epochs, stepsPerEpoch } of [profiles[name].sizes, profiles[name].onCpu]) {
        expect(epochs * stepsPerEpoch).toBeGreaterThanOrEqual(10)
      }
    }
  })

  test('checks the host first unless it is quick; what is asked for goes before', () => {
    expect(preflightOf('quick', 'profile')).toBeUndefined()
    expect(preflightOf('standard', 'profile')).toEqual({ need: 'warn', level: 'quick' })
    expect(preflightOf('full', 'profile')).toEqual({ need: 'warn', level: 'all' })
    expect(preflightOf('full', 'off')).toBeUndefined()
    expect(preflightOf('quick', 'require')).toEqual({ need: 'require', level: 'quick' })
  })

  test('that is full compiles and infers, and repeats nothing', () => {
    const kinds = (mode: 'train' | 'inference', compile: boolean) =>
      furtherRuns('full', { mode, compile }).map(({ name }) => name)
    expect(kinds('train', false)).toEqual(['compiled', 'inference'])
    expect(kinds('train', true)).toEqual(['inference'])
    expect(kinds('inference', false)).toEqual(['compiled'])
    expect(furtherRuns('standard', { mode: 'train', compile: false })).toEqual([])
  })
})

test('the arguments of the program say what a CPU gets, only where it may be measured', () => {
  const { sizes, onCpu } = sizesOf('standard', { batchSize: 32 })
  const asked = { ...sizes, onCpu, mode: 'train', precision: 'auto', memoryFormat: 'contiguous' } as const
  const words = (allowCpu: boolean) => buildArguments({ ...asked, allowCpu, compile: true, gpus: 'all' }).join(' ')
  expect(words(true)).toBe(
    'resnet50 --mode train --epochs 1 --steps-per-epoch 200 --batch-size 32 --image-size 224 --precision auto --memory-format contiguous --gpus all --compile --allow-cpu --on-cpu epochs=1,steps-per-epoch=100,image-size=64',
  )
  expect(words(false)).not.toContain('cpu')
})
