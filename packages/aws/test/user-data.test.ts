import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { UserFault } from '@gpu-actions/action-kit/ports'
import { makeUserData, timeLimitBoothook, timeLimitUnits, userDataLimit } from '../src/ec2/user-data.ts'

const expiresAt = Date.parse('2026-11-22T18:45:30Z')

describe('the user data of a launch', () => {
  test('begins with a boothook that arms the time limit for an absolute moment', () => {
    const text = makeUserData(expiresAt, undefined)
    expect(text.indexOf('text/cloud-boothook')).toBeGreaterThan(0)
    expect(text).toContain('\n# gpu-actions: guest time limit\n')
    expect(text).toContain('OnCalendar=2026-11-22 18:45:30 UTC\n')
    expect(text).toContain(`deadline=${expiresAt / 1000}\n`)
  })

  test("carries the caller's part after the time limit, with the type that its first line says", () => {
    const text = makeUserData(expiresAt, '#cloud-config\npackages: [jq]\n')
    expect(text.indexOf('text/cloud-config')).toBeGreaterThan(text.indexOf('text/cloud-boothook'))
    expect(text).toContain('packages: [jq]')
  })

  test('is the same for the same launch', () => {
    const own = fc.string().map(text => `#!/bin/sh\n${text}`)
    fc.assert(fc.property(own, text => expect(makeUserData(expiresAt, text)).toBe(makeUserData(expiresAt, text))))
  })

  test('is within the limit of EC2, or refused with the room that is left', () => {
    const script = (size: number): string => `#!/bin/sh\n${'#'.repeat(size)}`
    const tooMuch = (): string => makeUserData(expiresAt, script(20_000))
    expect(tooMuch).toThrow(UserFault)
    const room = Number(/room for (\d+)/.exec(String(catching(tooMuch)))?.[1])
    expect(Buffer.byteLength(makeUserData(expiresAt, script(room - 10)))).toBe(userDataLimit)
  })

  test('counts bytes, not characters', () => {
    expect(() => makeUserData(expiresAt, `#!/bin/sh\n${'ü'.repeat(7_000)}`)).toThrow(UserFault)
  })

  test('refuses what cloud-init would ignore', () => {
    expect(() => makeUserData(expiresAt, 'echo hello')).toThrow('its first line must say what it is')
  })

  test('leaves thousands of bytes to the caller', () => {
    expect(userDataLimit - Buffer.byteLength(makeUserData(expiresAt, undefined))).toBeGreaterThan(12_000)
  })
})

describe('the time limit', () => {
  test('powers off, and by force a minute later', () => {
    expect(timeLimitUnits(expiresAt)['gpu-actions-limit.service']).toMatch(
      /--no-block poweroff\nExecStart=\/bin\/sleep 60\nExecStart=\S+ --force --force poweroff\n/,
    )
  })

  test('never starts a unit in a way that waits for the boot that waits for it', () => {
    const starts = timeLimitBoothook(expiresAt).match(/^.*systemctl .*\b(start|stop)\b.*$/gm) ?? []
    expect(starts.length).toBeGreaterThan(0)
    expect(starts.filter(line => !line.includes('--no-block'))).toEqual([])
  })
})

function catching(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return error
  }
}
