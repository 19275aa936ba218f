import type { Identity } from '../sts/sessions.ts'
import { account } from '../world/account.ts'
import { AwsError } from './errors.ts'
import { faultRefusal, type AwsService } from './refusals.ts'

const allowed = ['GetParameter', 'GetParameters', 'DeleteParameter']

/** Refuses what the role of an instance does not allow; everybody else may do everything. */
export function requirePermission(
  identity: Identity | null,
  { service, operation, parameters }: { service: AwsService; operation: string; parameters: unknown },
  region: string,
): void {
  if (identity === null || identity.parameterPath === null || operation === 'GetCallerIdentity') return
  if (service !== 'ssm') throw faultRefusal(service, 'denied')
  const names = namesIn(parameters)
  const path = identity.parameterPath
  if (allowed.includes(operation) && names.length > 0 && names.every(name => name.startsWith(path))) return
  const resource = `arn:aws:ssm:${region}:${account}:parameter/${(names[0] ?? '*').replace(/^\//, '')}`
  throw new AwsError(
    'AccessDeniedException',
    `User: ${identity.arn} is not authorized to perform: ssm:${operation} on resource: ${resource} because no identity-based policy allows the ssm:${operation} action`,
  )
}

function namesIn(parameters: unknown): readonly string[] {
  if (typeof parameters !== 'object' || parameters === null) return []
  const names = 'Name' in parameters ? [parameters.Name] : 'Names' in parameters ? parameters.Names : []
  return Array.isArray(names) ? names.map(String) : []
}
