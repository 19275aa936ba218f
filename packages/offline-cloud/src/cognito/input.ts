import * as v from 'valibot'
import { AwsError } from '../aws/errors.ts'
import { cognito, type AppClientData } from '../world/cognito.ts'

/** Reads the input of an operation; what does not fit is refused as the service refuses it. */
export function read<const S extends v.GenericSchema>(schema: S, input: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, input)
  if (result.success) return result.output
  const faults = result.issues.map(issue => {
    const path = v.getDotPath(issue) ?? 'input'
    return `Value at '${path.charAt(0).toLowerCase()}${path.slice(1)}' failed to satisfy constraint: ${issue.message}`
  })
  throw new AwsError(
    'InvalidParameterException',
    `${faults.length} validation error${faults.length === 1 ? '' : 's'} detected: ${faults.join('; ')}`,
  )
}

const notNull = 'Member must not be null'

/** A text that must be there. */
export const needed = v.pipe(v.string(notNull), v.minLength(1, 'Member must have length greater than or equal to 1'))

/** The app client of that id. */
export function appClient(id: string): AppClientData {
  const found = Object.values<AppClientData>(cognito.clients).find(client => client.id === id)
  if (found !== undefined) return found
  throw new AwsError('ResourceNotFoundException', `User pool client ${id} does not exist.`)
}
