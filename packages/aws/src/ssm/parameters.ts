import { DeleteParameterCommand, PutParameterCommand, type Tag } from '@aws-sdk/client-ssm'
import { messageOf } from '@gpu-actions/action-kit/ports'
import type { AwsClients } from '../clients.ts'
import { calling, codeOf, outsideFault } from '../errors.ts'

/** Where the one-time tokens of deployments are; policies name this path. */
export const tokenPath = '/gpu-actions/'

/** The parameter with the one-time token for a machine. @param place the run directory: its lease's id, or `host-<instance>` */
export const tokenParameter = (place: string): string => `${tokenPath}${place}/onboarding-token`

/** A secret on its way to a machine, which reads it with its own role. */
export interface SecretParameter {
  /** Its path; only letters, digits, `.`, `-`, `_` and `/`. */
  readonly name: string
  /** At most 4,096 bytes. */
  readonly value: string
  readonly tags: Readonly<Record<string, string>>
  /** A key of one's own; else the account's `aws/ssm`. */
  readonly kmsKeyId?: string | undefined
}

const metadataOf = (error: unknown): unknown =>
  typeof error === 'object' && error !== null ? Reflect.get(error, '$metadata') : undefined

/** An error without the secret in its words, which the service may quote. */
const withoutSecret = (error: unknown, secret: string): unknown =>
  messageOf(error).includes(secret)
    ? Object.assign(new Error(messageOf(error).replaceAll(secret, '***')), {
        name: codeOf(error),
        $metadata: metadataOf(error),
      })
    : error

const attemptsOf = (error: unknown): number => {
  const metadata = metadataOf(error)
  const attempts: unknown =
    typeof metadata === 'object' && metadata !== null ? Reflect.get(metadata, 'attempts') : undefined
  return typeof attempts === 'number' ? attempts : 1
}

/**
 * Stores a secret as an encrypted parameter.
 * @returns `exists` when there is one of this name already, which is left as it is
 * @throws OutsideFault, never with the secret in it
 */
export async function putSecret(clients: AwsClients, secret: SecretParameter): Promise<'stored' | 'exists'> {
  const { name, value, kmsKeyId } = secret
  const tags: Tag[] = Object.entries(secret.tags).map(([Key, Value]) => ({ Key, Value }))
  try {
    await clients.ssm().send(
      new PutParameterCommand({
        Name: name,
        Value: value,
        Type: 'SecureString',
        Overwrite: false,
        Tags: tags,
        ...(kmsKeyId === undefined ? {} : { KeyId: kmsKeyId }),
      }),
    )
    return 'stored'
  } catch (error) {
    // After a lost reply it is the one that an earlier try of this very call has stored.
    if (codeOf(error) === 'ParameterAlreadyExists') return attemptsOf(error) > 1 ? 'stored' : 'exists'
    const call = { doing: `Storing the parameter ${name}`, permission: 'ssm:PutParameter', region: clients.region }
    throw outsideFault(withoutSecret(error, value), call)
  }
}

/** The command that deletes a parameter, for a person to run. */
export const deleteByHand = (region: string, name: string): string =>
  `aws ssm delete-parameter --region ${region} --name ${name}`

/**
 * Deletes a parameter, and asks again until the service says that there is none: that proves it, and needs no right to
 * read.
 * @throws OutsideFault
 */
export async function deleteParameter(clients: AwsClients, name: string): Promise<'deleted' | 'was-gone'> {
  const call = {
    doing: `Deleting the parameter ${name}`,
    permission: 'ssm:DeleteParameter',
    region: clients.region,
  }
  return calling(call, async () => {
    for (let times = 0; times < 5; times++) {
      try {
        await clients.ssm().send(new DeleteParameterCommand({ Name: name }))
      } catch (error) {
        if (codeOf(error) !== 'ParameterNotFound') throw error
        return times === 0 ? 'was-gone' : 'deleted'
      }
    }
    throw new Error('the service has accepted it five times, and the parameter is still there')
  })
}
