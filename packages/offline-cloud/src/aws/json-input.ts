import * as v from 'valibot'
import { AwsError } from './errors.ts'

/** Reads the input of an operation of a JSON service; what does not fit is refused with the service's own code. */
export function readInput<const S extends v.GenericSchema>(schema: S, input: unknown, code: string): v.InferOutput<S> {
  const result = v.safeParse(schema, input)
  if (result.success) return result.output
  const faults = result.issues.map(issue => `${v.getDotPath(issue) ?? 'input'}: ${issue.message}`)
  throw new AwsError(code, `${faults.length} validation error${faults.length === 1 ? '' : 's'}: ${faults.join('; ')}`)
}

/** One page of a list and the token of the next one, absent on the last. `code` refuses a token that is none of ours. */
export function pageFrom<T>(
  members: readonly T[],
  size: number,
  token: string | undefined,
  code: string,
): { readonly chosen: readonly T[]; readonly next: { readonly NextToken?: string } } {
  const found = token === undefined ? '0' : /^page-(\d+)$/.exec(Buffer.from(token, 'base64url').toString())?.[1]
  if (found === undefined) throw new AwsError(code, 'The pagination token is not valid.')
  const end = Number(found) + size
  const next = end < members.length ? { NextToken: Buffer.from(`page-${end}`).toString('base64url') } : {}
  return { chosen: members.slice(Number(found), end), next }
}
