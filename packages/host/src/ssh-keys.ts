import { createHash } from 'node:crypto'

/** A private key as ssh wants its file, and what may be said of it. */
export interface PrivateKey {
  /** For a file: line ends of Unix, and one at the end. Secret. */
  readonly text: string
  /** `SHA256:…` of its public half; null in formats that do not show it. */
  readonly fingerprint: string | null
}

/** What a host must show: one of these keys, or a key with this fingerprint. */
export type HostKeyPin =
  | { readonly kind: 'keys'; readonly keys: readonly PublicKey[] }
  | { readonly kind: 'fingerprint'; readonly fingerprint: string }

export interface PublicKey {
  /** `ssh-ed25519`, `ecdsa-sha2-nistp256`, … */
  readonly type: string
  readonly base64: string
}

const fingerprintOfBlob = (blob: Uint8Array): string =>
  `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`

/** What `ssh-keygen -l` says of a public key: `SHA256:…`. */
export const fingerprintOf = (key: PublicKey): string => fingerprintOfBlob(Buffer.from(key.base64, 'base64'))

const armour = /^-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----\n([\s\S]*?)\n-----END \1PRIVATE KEY-----$/

/**
 * Reads the text of a private key.
 * @throws RangeError that says what would have been right, and nothing of the text
 */
export function readPrivateKey(given: string): PrivateKey {
  const text = given.replaceAll('\r', '').trim()
  const found = armour.exec(text)
  if (found === null) throw new RangeError('must be the text of a private key, from its BEGIN line to its END line')
  const [, format = '', body = ''] = found
  const locked = new RangeError('must be a key without a passphrase: nobody is there to type it')
  if (format.startsWith('ENCRYPTED') || /^Proc-Type:.*ENCRYPTED/m.test(body)) throw locked
  if (format !== 'OPENSSH ') return { text: `${text}\n`, fingerprint: null }
  const fields = fieldsOf(Buffer.from(body, 'base64'))
  if (fields === undefined) throw new RangeError('is not whole: its text is damaged or cut short')
  if (fields.cipher !== 'none') throw locked
  return { text: `${text}\n`, fingerprint: fingerprintOfBlob(fields.publicKey) }
}

const magic = Buffer.from('openssh-key-v1\0')

/** Cipher and public half, from OpenSSH's own format (PROTOCOL.key); undefined when it is not whole. */
function fieldsOf(bytes: Buffer): { readonly cipher: string; readonly publicKey: Uint8Array } | undefined {
  if (!bytes.subarray(0, magic.length).equals(magic)) return undefined
  let at = magic.length
  const next = (): Buffer => {
    const length = bytes.readUInt32BE(at)
    const field = bytes.subarray(at + 4, at + 4 + length)
    if (field.length < length) throw new RangeError('cut short')
    at += 4 + length
    return field
  }
  try {
    const cipher = next().toString('latin1')
    next() // the key derivation
    next() // and its options
    at += 4 // the number of keys
    const publicKey = next()
    next() // the private half
    return { cipher, publicKey }
  } catch {
    return undefined
  }
}

const keyType = /^(ssh-|ecdsa-|sk-)[a-z0-9@.-]+$/
const isKey = (type: string, base64: string): boolean => keyType.test(type) && /^[A-Za-z0-9+/]{40,}={0,3}$/.test(base64)

/**
 * Reads lines of a known_hosts file, of `ssh-keyscan` or of a `.pub` file: names and comments are passed over, for it
 * is said elsewhere which host they are for.
 * @throws RangeError that says what would have been right
 */
export function readPublicKeys(text: string): readonly PublicKey[] {
  return text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '' && !line.startsWith('#'))
    .map(line => {
      if (line.startsWith('@')) throw new RangeError('cannot be a line with a marker such as @cert-authority')
      const [first = '', second = '', third = ''] = line.split(/\s+/)
      if (isKey(first, second)) return { type: first, base64: second }
      if (isKey(second, third)) return { type: second, base64: third }
      throw new RangeError('must be a line of known_hosts, or a fingerprint such as SHA256:… of ssh-keygen -l')
    })
}

/**
 * Reads what a host's key is pinned to: lines of known_hosts, or a fingerprint.
 * @throws RangeError that says what would have been right
 */
export function readHostKeyPin(given: string): HostKeyPin {
  const text = given.trim()
  const found = /^SHA256:([A-Za-z0-9+/]{43})=?$/.exec(text)
  if (found !== null) return { kind: 'fingerprint', fingerprint: `SHA256:${found[1]}` }
  const keys = readPublicKeys(text)
  if (keys.length === 0)
    throw new RangeError('must be a line of known_hosts, or a fingerprint such as SHA256:… of ssh-keygen -l')
  return { kind: 'keys', keys }
}
