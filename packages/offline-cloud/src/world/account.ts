/** The one account of the cloud. */
export const account = '123456789012'

/** The IAM user behind the long-lived keys that `env` gives. */
export const userName = 'offline'

/** A role that GitHub's tokens may assume; `subjects` are patterns for the `sub` claim, `*` stands for anything. */
export interface RoleData {
  readonly arn: string
  readonly id: string
  readonly maxSessionSeconds: number
  readonly subjects: readonly string[]
}

export const roles: readonly RoleData[] = [
  {
    arn: `arn:aws:iam::${account}:role/gpu-actions-ci`,
    id: 'AROAC0FFEEC0FFEE00001',
    maxSessionSeconds: 3600,
    subjects: ['repo:*'],
  },
]

/** The instance profiles that exist. Their role holds what AmazonSSMManagedInstanceCore grants. */
export const instanceProfiles: readonly { readonly name: string; readonly id: string }[] = [
  { name: 'gpu-bench-instance', id: 'AIPAC0FFEEC0FFEE00001' },
]

export const profileArn = (name: string): string => `arn:aws:iam::${account}:instance-profile/${name}`
