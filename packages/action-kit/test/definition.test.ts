import { describe, expect, test } from '@jest/globals'
import { defineAction, readInputs } from '../src/definition.ts'
import * as input from '../src/inputs.ts'
import { UserFault } from '../src/ports/faults.ts'

const rent = defineAction({
  name: 'rent',
  title: 'Rent',
  description: 'Rents.',
  post: false,
  inputs: {
    'instance-type': input.list({ about: 'Types.', fallback: 'g5.2xlarge' }),
    ttl: input.duration({ about: 'Limit.', fallback: '45m', max: 3_600_000 }),
    'ami-id': input.text({ about: 'Image.', pattern: /^ami-/, must: 'an image id' }),
    'ami-name': input.text({ about: 'Image by name.' }),
    password: input.secret({ about: 'Password.' }),
    region: input.text({ about: 'Where.', required: true }),
    'dry-run': input.boolean({ about: 'Only look.', fallback: 'false' }),
  },
  outputs: { 'lease-id': 'The lease.' },
  check: ({ amiId, amiName }) =>
    amiId !== undefined && amiName !== undefined ? ['ami-id, ami-name: only one of them'] : [],
})

const read = (given: Record<string, string>) => readInputs(rent, id => given[id] ?? '')

const faultOf = (given: Record<string, string>): UserFault => {
  try {
    read(given)
  } catch (error) {
    if (error instanceof UserFault) return error
    throw error
  }
  throw new Error('the inputs were accepted')
}

describe('readInputs', () => {
  test('gives every value under its camel-case name, with fallbacks for what is empty', () => {
    const values = read({ region: 'us-west-2', ttl: '', 'ami-id': 'ami-1' })
    expect(values).toEqual({
      instanceType: ['g5.2xlarge'],
      ttl: 2_700_000,
      amiId: 'ami-1',
      region: 'us-west-2',
      dryRun: false,
    })
    expect(values.amiName).toBeUndefined()
  })

  test('takes blanks around a value for nothing', () => {
    expect(read({ region: '  us-west-2\n', ttl: '  ' })).toMatchObject({ region: 'us-west-2', ttl: 2_700_000 })
  })

  test('reports every fault of every input at once', () => {
    const fault = faultOf({ ttl: '2h', 'ami-id': 'image-1', 'dry-run': 'maybe' })
    expect(fault.message).toBe('rent: 4 inputs are wrong, nothing was done')
    expect(fault.faults).toEqual([
      "ttl: must be at most 1h, not '2h'",
      "ami-id: must be an image id, not 'image-1'",
      'region: is required',
      "dry-run: must be true or false, not 'maybe'",
    ])
  })

  test('says so in the singular for one fault', () => {
    expect(faultOf({}).message).toBe('rent: one input is wrong, nothing was done')
  })

  test('never repeats the value of a secret', () => {
    const picky = { ...input.secret({ about: 'Token.' }), parse: () => { throw new RangeError('must be a token') } } // prettier-ignore
    const login = defineAction({ ...rent, inputs: { token: picky }, check: () => [] })
    expect(() => readInputs(login, () => 'hunter2')).toThrow(
      expect.objectContaining({ faults: ['token: must be a token'] }),
    )
  })

  test('checks combinations once every single input is right, and only then', () => {
    expect(faultOf({ region: 'r', 'ami-id': 'ami-1', 'ami-name': 'x' }).faults).toEqual([
      'ami-id, ami-name: only one of them',
    ])
    expect(faultOf({ 'ami-id': 'ami-1', 'ami-name': 'x' }).faults).toEqual(['region: is required'])
  })

  test('does not take a fault of its own for one of the user', () => {
    const broken = { ...input.text({ about: 'x' }), parse: () => { throw new TypeError('bug') } } // prettier-ignore
    const action = defineAction({ ...rent, inputs: { broken }, check: () => [] })
    expect(() => readInputs(action, () => 'x')).toThrow(TypeError)
  })
})
