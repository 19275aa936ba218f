import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import { fingerprintOf, readHostKeyPin, readPrivateKey, readPublicKeys } from '../src/ssh-keys.ts'

const folder = mkdtempSync(join(tmpdir(), 'gpu-actions-keys-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A key of the real ssh-keygen. */
const keyOf = (name: string, ...argv: readonly string[]) => {
  const path = join(folder, name)
  execFileSync('ssh-keygen', ['-q', '-C', 'a comment', '-f', path, ...argv])
  const fingerprint =
    execFileSync('ssh-keygen', ['-lf', `${path}.pub`])
      .toString()
      .split(' ')[1] ?? ''
  return { text: readFileSync(path, 'utf8'), pub: readFileSync(`${path}.pub`, 'utf8'), fingerprint }
}

describe('a private key', () => {
  const key = keyOf('ed25519', '-t', 'ed25519', '-N', '')

  test('is told by the fingerprint that ssh-keygen gives it', () => {
    expect(readPrivateKey(key.text)).toEqual({ text: key.text, fingerprint: key.fingerprint })
    const ecdsa = keyOf('ecdsa', '-t', 'ecdsa', '-N', '')
    expect(readPrivateKey(ecdsa.text).fingerprint).toBe(ecdsa.fingerprint)
  })

  test('may have line ends of Windows, and lack the last one', () => {
    expect(readPrivateKey(key.text.trim().replaceAll('\n', '\r\n')).text).toBe(key.text)
  })

  test('in the older formats has no fingerprint to tell', () => {
    const pem = keyOf('pem', '-t', 'rsa', '-b', '2048', '-m', 'PEM', '-N', '')
    expect(readPrivateKey(pem.text)).toEqual({ text: pem.text, fingerprint: null })
  })

  test.each(['RFC4716', 'PEM', 'PKCS8'])('with a passphrase is refused in format %s', format => {
    const locked = keyOf(`locked-${format}`, '-t', 'rsa', '-b', '2048', '-m', format, '-N', 'canary')
    expect(() => readPrivateKey(locked.text)).toThrow(/without a passphrase/)
  })

  test.each([
    ['a path', '~/.ssh/id_ed25519'],
    ['a public key', key.pub],
    ['nothing', ''],
    ['half a key', key.text.slice(0, 200)],
    ['a key that was cut short', key.text.replace(/\n.{70}\n/, '\n')],
  ])('that is %s is refused, without telling its text', (_, text) => {
    const secret = text.slice(-30, -10) || 'never'
    const refused = expect.objectContaining({ message: expect.not.stringContaining(secret), name: 'RangeError' })
    expect(() => readPrivateKey(text)).toThrow(refused)
  })
})

describe('the pin of a host key', () => {
  const { pub, fingerprint } = keyOf('host', '-t', 'ed25519', '-N', '')
  const [key] = readPublicKeys(pub)

  test('is a line of known_hosts, of ssh-keyscan or of a public key file', () => {
    for (const line of [
      pub,
      `[10.0.0.1]:2222 ${pub}`,
      `|1|abc=|def= ${pub}`,
      `# 10.0.0.1 SSH-2.0\nhost,10.0.0.1 ${pub}\n`,
    ])
      expect(readHostKeyPin(line)).toEqual({ kind: 'keys', keys: [key] })
  })

  test('is a fingerprint as ssh-keygen prints it', () => {
    expect(readHostKeyPin(`${fingerprint}\n`)).toEqual({ kind: 'fingerprint', fingerprint })
    expect(key && fingerprintOf(key)).toBe(fingerprint)
  })

  test.each(['', 'yes', 'MD5:00:11:22', 'SHA256:short', `@cert-authority * ${pub}`, 'host ssh-ed25519 x'])(
    'that is %j is refused',
    text => {
      expect(() => readHostKeyPin(text)).toThrow(RangeError)
    },
  )
})
