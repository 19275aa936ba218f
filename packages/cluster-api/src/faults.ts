import { OutsideFault } from '@gpu-actions/action-kit/ports'

/** How a call of the cluster API ended without success. */
export type Trouble =
  /** No answer: it may have been executed, unless `never` says that it cannot have been. */
  | { readonly kind: 'transport'; readonly cause: unknown; readonly never: boolean }
  /** An answer that is none of the success codes. */
  | { readonly kind: 'answered'; readonly code: number; readonly message: string }
  /** A success whose body is not JSON, or lacks what was asked for. */
  | { readonly kind: 'unreadable'; readonly why: string }

/** A failed call of the cluster API. */
export class ApiFault extends OutsideFault {
  readonly trouble: Trouble

  constructor(trouble: Trouble, what: string, advice: string) {
    super({ what, advice, ...(trouble.kind === 'transport' ? { cause: trouble.cause } : {}) })
    this.trouble = trouble
  }
}

/** The code that the API answered with, when that is how the call failed. */
export const codeOf = (fault: unknown): number | undefined =>
  fault instanceof ApiFault && fault.trouble.kind === 'answered' ? fault.trouble.code : undefined

/** Words of Node's network errors, which hide the reason in the cause. */
export function networkWords(thrown: unknown): string {
  for (let error = thrown; error instanceof Error; error = error.cause) {
    const code = 'code' in error ? String(error.code) : ''
    switch (code) {
      case 'ENOTFOUND':
      case 'EAI_AGAIN':
        return 'its name could not be resolved'
      case 'ECONNREFUSED':
        return 'nothing listens there'
      case 'ECONNRESET':
      case 'UND_ERR_SOCKET':
        return 'the connection was closed'
      case 'CERT_HAS_EXPIRED':
      case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      case 'ERR_TLS_CERT_ALTNAME_INVALID':
      case 'SELF_SIGNED_CERT_IN_CHAIN':
      case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
        return `its certificate is not trusted (${code})`
    }
    if (error.name === 'TimeoutError') return 'it did not answer in time'
    if (!(error.cause instanceof Error)) return code === '' ? error.message : code
  }
  return String(thrown)
}

/** Whether the request cannot have reached the server. */
export function neverSent(thrown: unknown): boolean {
  const codes: string[] = []
  for (let error = thrown; error instanceof Error; error = error.cause)
    if ('code' in error) codes.push(String(error.code))
  return codes.some(code => ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'].includes(code))
}

const quoted = (message: string): string => (message === '' ? '' : `: ${message}`)

/** The failure of a call in words. `renewed`: a new login was made for it. */
export function apiFault(host: string, doing: string, trouble: Trouble, renewed: boolean): ApiFault {
  const failed = (why: string, advice: string): ApiFault => new ApiFault(trouble, `${doing} failed: ${why}`, advice)
  if (trouble.kind === 'transport')
    return failed(
      `${host} gave no answer, ${networkWords(trouble.cause)}`,
      'See whether `api-base` is right and the API is up. It was tried several times.',
    )
  if (trouble.kind === 'unreadable')
    return failed(
      `the answer of ${host} ${trouble.why}`,
      'See whether `api-base` leads to the cluster API and not to a web page, and whether the API has changed its replies: field names can be configured.',
    )
  return failed(...answerWords(host, trouble.code, quoted(trouble.message), renewed))
}

function answerWords(host: string, code: number, said: string, renewed: boolean): readonly [string, string] {
  if (code === 401)
    return renewed
      ? [
          `${host} refused the id token again after a new login (401${said})`,
          'The token is valid for another API: see whether the app client (`client-id`) is one that this API accepts, and whether pool and API are of the same environment.',
        ]
      : [
          `${host} refused the id token, and no new one could be got (401${said})`,
          'An id token lives for an hour. Give the inputs `user-pool-id`, `client-id`, `username` and `password`, so that this step can log in again; and see whether the token is of an app client that this API accepts.',
        ]
  if (code === 403)
    return [
      `${host} does not allow it (403${said})`,
      'See whether the user may manage clusters of this tenant, whether it is the id token and not the access token, and whether its app client is accepted.',
    ]
  if (code === 404 || code === 410)
    return [
      `${host} knows no such thing (${code}${said})`,
      'See whether `api-base` is right, path included, and whether the cluster still exists.',
    ]
  if (code === 409)
    return [
      `${host} says that it conflicts with what there is (409${said})`,
      'A limit of running GPU jobs may be reached: wait for the other job to end, or end it.',
    ]
  if (code === 429)
    return [`${host} throttled it until the end (429${said})`, 'Try again later; other callers share the limit.']
  if (code >= 500)
    return [
      `${host} is in trouble (${code}${said})`,
      'It was tried several times. Look at the health of the API, and run the step again.',
    ]
  if (code >= 300 && code < 400)
    return [
      `${host} sends elsewhere (${code})`,
      'A token does not follow redirects. Give the final address as `api-base`.',
    ]
  return [`${host} did not accept it (${code}${said})`, 'The API may expect other fields: they can be configured.']
}
