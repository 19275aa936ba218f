import { randomBytes, randomUUID } from 'node:crypto'

/** A fresh id of AWS's form: `i-0123456789abcdef0`, `vol-…`, `eni-…`, `r-…`. Long ids begin with 0 as AWS's do. */
export const awsId = (prefix: string): string => `${prefix}-0${randomBytes(8).toString('hex')}`

/** A fresh request id, as in every answer of AWS. */
export const requestId = (): string => randomUUID()

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** A fresh access key id: `ASIA` for sessions, `AKIA` for users, then 16 characters of base32. */
export const accessKeyId = (prefix: 'ASIA' | 'AKIA'): string =>
  prefix + Array.from(randomBytes(16), byte => alphabet[byte % alphabet.length]).join('')

/** A fresh secret of `bytes` random bytes, base64. */
export const secret = (bytes: number): string => randomBytes(bytes).toString('base64')
