import * as v from 'valibot'
import { AwsError } from '../aws/errors.ts'

/** Reads the input of an operation; what does not fit is refused as SSM refuses it. */
export function read<const S extends v.GenericSchema>(schema: S, input: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, input)
  if (result.success) return result.output
  const faults = result.issues.map(
    issue => `Value at '${v.getDotPath(issue) ?? 'input'}' failed to satisfy constraint: ${issue.message}`,
  )
  throw new AwsError(
    'ValidationException',
    `${faults.length} validation error${faults.length === 1 ? '' : 's'} detected: ${faults.join('; ')}`,
  )
}

/** Where a page starts: 0, or what the token of the page before says. */
export function startOf(token: string | undefined): number {
  if (token === undefined) return 0
  const offset = Number(/^page-(\d+)$/.exec(Buffer.from(token, 'base64url').toString())?.[1])
  if (Number.isNaN(offset)) throw new AwsError('InvalidNextToken', 'The specified token is not valid.')
  return offset
}

/** One page of a list and the token of the next one, absent on the last. */
export function pageOf<T>(
  members: readonly T[],
  size: number,
  token: string | undefined,
): { readonly chosen: readonly T[]; readonly next: { readonly NextToken?: string } } {
  const start = startOf(token)
  const end = start + size
  const next = end < members.length ? { NextToken: Buffer.from(`page-${end}`).toString('base64url') } : {}
  return { chosen: members.slice(start, end), next }
}

/** A time as the JSON protocol writes it: seconds since the epoch. */
export const epoch = (ms: number): number => ms / 1000
