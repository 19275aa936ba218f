import { describe, expect, test } from '@jest/globals'
import { UserFault } from '@gpu-actions/action-kit/ports'
import { bodyOf, dialectWith, isSuccess, pathOf, referenceDialect } from '../src/dialect.ts'

describe('The dialect', () => {
  test('stays the reference where nothing is changed', () => {
    expect(dialectWith({})).toEqual(referenceDialect)
  })

  test('takes changes one by one', () => {
    const made = dialectWith({ success: [[201, 201]], paths: { jobs: '/v2/jobs' }, tenant: 't' })
    expect(made.paths).toEqual({ ...referenceDialect.paths, jobs: '/v2/jobs' })
    expect([200, 201].map(code => isSuccess(made, code))).toEqual([false, true])
  })

  test('names everything that is wrong with changes at once', () => {
    const wrong = { paths: { jobs: 'v2' }, words: { ready: [] }, success: 'all', unheard: 1, fields: 3 }
    let fault: unknown
    try {
      dialectWith(wrong)
    } catch (error) {
      fault = error
    }
    expect(fault).toBeInstanceOf(UserFault)
    const places = (fault instanceof UserFault ? fault.faults : []).map(text => text.split(':')[0])
    expect(places).toEqual(expect.arrayContaining(['paths.jobs', 'words.ready', 'success', 'unheard', 'fields']))
    expect(() => dialectWith('x')).toThrow('must be an object')
  })
})

describe('A body', () => {
  test('gets its values with their own types, and loses members that have none', () => {
    const template = { kind: 'x', params: { epochs: '{epochs}', more: ['{epochs}', '{none}'] }, empty: { a: '{none}' } }
    expect(bodyOf(template, { epochs: 3 })).toEqual({ kind: 'x', params: { epochs: 3, more: [3] } })
    expect(bodyOf(null, {})).toBeNull()
  })

  test('of the job names epochs and batch size', () => {
    expect(bodyOf(referenceDialect.bodies.job, { epochs: 1, batchSize: 128 })).toEqual({
      job_kind: 'resnet50_benchmark',
      params: { epochs: 1, batch_size: 128 },
    })
  })
})

test('Ids are escaped in paths', () => {
  expect(pathOf('/v1/clusters/{cluster}/jobs/{job}', { cluster: 'a/b?c', job: '..' })).toBe(
    '/v1/clusters/a%2Fb%3Fc/jobs/..',
  )
})
