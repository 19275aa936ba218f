/** A refusal of the cluster API: `code` is for the list of calls, the rest is what the caller sees. */
export class ApiRefusal extends Error {
  override readonly name = 'ApiRefusal'
  readonly status: 400 | 401 | 403 | 404 | 409 | 422 | 429 | 500 | 503
  readonly code: string
  /** The `WWW-Authenticate` header. */
  readonly challenge: string | null

  constructor(status: ApiRefusal['status'], code: string, message: string, challenge: string | null = null) {
    super(message)
    this.status = status
    this.code = code
    this.challenge = challenge
  }
}

export const notFound = (what: string): ApiRefusal => new ApiRefusal(404, 'NotFound', `${what} not found`)
