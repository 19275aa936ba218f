import { AwsError } from '../aws/errors.ts'
import type { Cloud } from '../cloud.ts'
import { adminInitiateAuth, initiateAuth } from './login.ts'
import { revokeToken } from './revoke-token.ts'

/** `region` is null for an unsigned call. */
type Operation = (cloud: Cloud, input: unknown, region: string | null) => Promise<object>

const operations: Readonly<Record<string, Operation>> = {
  AdminInitiateAuth: adminInitiateAuth,
  InitiateAuth: initiateAuth,
  RevokeToken: revokeToken,
}

/** Operations that carry no credentials of AWS: what they name is the proof. */
export const unsignedCognitoOperations: readonly string[] = ['InitiateAuth', 'RevokeToken']

/** Carries out an operation of the user pools. One that is not covered is refused by name. */
export async function callCognito(cloud: Cloud, name: string, input: unknown, region: string | null): Promise<object> {
  const operation = Object.hasOwn(operations, name) ? operations[name] : undefined
  if (operation === undefined)
    throw new AwsError('InvalidAction', `The offline cloud does not cover ${name} of Cognito's user pools.`)
  return operation(cloud, input, region)
}
