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

/** What was thrown and its causes, as names, codes and messages; errors of other realms are no Errors of ours. */
function* chain(
  thrown: unknown,
): Generator<{ readonly code: string; readonly name: string; readonly message: string }> {
  for (let error = thrown; typeof error === 'object' && error !== null; error = 'cause' in error ? error.cause : null) {
    const text = (name: 'code' | 'name' | 'message'): string => {
      const value: unknown = name in error ? Reflect.get(error, name) : ''
      return typeof value === 'string' ? value : ''
    }
    yield { code: text('code'), name: text('name'), message: text('message') }
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name could not be resolved',
  EAI_AGAIN: 'its name could not be resolved just now',
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was closed',
  UND_ERR_SOCKET: 'the connection was closed',
  UND_ERR_CONNECT_TIMEOUT: 'no connection came about in time',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is not trusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not trusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is not trusted',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
}

/** Words of Node's network errors, which hide the reason in the cause. */
export function networkWords(thrown: unknown): string {
  let last = ''
  for (const { code, name, message } of chain(thrown)) {
    if (name === 'TimeoutError') return 'it did not answer in time'
    const known = reasons[code]
    if (known !== undefined) return known
    last = message || code || last
  }
  return last || String(thrown)
}

const unsent: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'])

/** Whether the request cannot have reached the server. */
export const neverSent = (thrown: unknown): boolean => [...chain(thrown)].some(({ code }) => unsent.has(code))

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
