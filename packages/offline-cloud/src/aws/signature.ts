/** What the SigV4 header of a request says. The signature itself is not checked. */
export interface Signed {
  readonly accessKeyId: string
  readonly region: string
  readonly service: string
  readonly sessionToken: string | undefined
}

const form = /^AWS4-HMAC-SHA256\s+Credential=([^/,\s]+)\/\d{8}\/([^/,\s]+)\/([^/,\s]+)\/aws4_request\s*,/

/** Reads the access key id and the region from the credential scope; null for an unsigned or malformed request. */
export function readSignature(header: (name: string) => string | undefined): Signed | null {
  const match = form.exec(header('authorization') ?? '')
  const [, accessKeyId, region, service] = match ?? []
  if (accessKeyId === undefined || region === undefined || service === undefined) return null
  return { accessKeyId, region, service, sessionToken: header('x-amz-security-token') }
}
