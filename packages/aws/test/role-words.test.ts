import { describe, expect, test } from '@jest/globals'
import { OutsideFault, UserFault } from '@gpu-actions/action-kit/ports'
import { roleFault } from '../src/credentials/role-words.ts'
import { isFinal } from '../src/index.ts'

const role = 'arn:aws:iam::123456789012:role/gpu-actions-ci'
const token = `h.${Buffer.from(JSON.stringify({ sub: 'repo:org/consumer:environment:gpu' })).toString('base64url')}.s`
const error = (name: string, message = 'said STS'): Error =>
  Object.assign(new Error(message), { name, $metadata: { httpStatusCode: 400 } })
const adviceOf = (name: string, message?: string): string => {
  const fault = roleFault(error(name, message), role, 'us-west-2', token)
  if (!(fault instanceof OutsideFault)) throw new Error('not in words')
  expect(fault.message).toContain(role)
  return fault.advice
}

describe('a role that cannot be had', () => {
  test('has advice of its own for each way of it', () => {
    const advice = [
      adviceOf('AccessDenied'),
      adviceOf('InvalidIdentityTokenException', 'No OpenIDConnect provider found in your account'),
      adviceOf('InvalidIdentityTokenException', 'Incorrect token audience'),
      adviceOf('ExpiredTokenException'),
      adviceOf('RegionDisabledException'),
      adviceOf('ValidationError', 'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.'),
      adviceOf('ValidationError', 'role/x is invalid'),
      adviceOf('IDPCommunicationErrorException'),
    ]
    expect(new Set(advice).size).toBe(advice.length)
  })

  test('for its trust policy shows the subject of the token and both forms that there are', () => {
    const advice = adviceOf('IDPRejectedClaimException')
    for (const part of ["'repo:org/consumer:environment:gpu'", 'repo:OWNER/REPO:', 'repo:OWNER@OWNER-ID/REPO@REPO-ID:'])
      expect(advice).toContain(part)
  })

  test('is final when nobody would give it later, and not when STS is only away', () => {
    const final = (name: string) => isFinal(roleFault(error(name), role, 'us-west-2', token))
    expect(
      ['AccessDenied', 'InvalidIdentityTokenException', 'RegionDisabledException', 'ValidationError'].map(final),
    ).toEqual([true, true, true, true])
    expect(['IDPCommunicationErrorException', 'Throttling'].map(final)).toEqual([false, false])
  })

  test('keeps words that it has already', () => {
    const fault = new UserFault('GitHub gives this job no OIDC token')
    expect(roleFault(fault, role, 'us-west-2', undefined)).toBe(fault)
  })
})
