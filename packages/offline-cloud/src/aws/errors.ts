/** A refusal as AWS words it: the code that clients compare, the sentence, and the HTTP status. */
export class AwsError extends Error {
  override readonly name = 'AwsError'
  readonly code: string
  readonly status: number

  constructor(code: string, message: string, status = 400) {
    super(message)
    this.code = code
    this.status = status
  }
}

/** For a parameter value that the service refuses. */
export const invalidValue = (message: string): AwsError => new AwsError('InvalidParameterValue', message)
