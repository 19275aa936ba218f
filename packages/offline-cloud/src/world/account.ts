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

/**
 * An instance profile and its role. The role lets the SSM agent work, and its programs read and delete the parameters
 * below `parameterPath`: less than AmazonSSMManagedInstanceCore, which grants to read every parameter of the account.
 */
export interface ProfileData {
  readonly name: string
  readonly id: string
  readonly roleName: string
  readonly roleId: string
  readonly parameterPath: string
}

/** The instance profiles that exist. */
export const instanceProfiles: readonly ProfileData[] = [
  {
    name: 'gpu-bench-instance',
    id: 'AIPAC0FFEEC0FFEE00001',
    roleName: 'gpu-bench-instance',
    roleId: 'AROAC0FFEEC0FFEE00002',
    parameterPath: '/gpu-actions/',
  },
]

export const profileArn = (name: string): string => `arn:aws:iam::${account}:instance-profile/${name}`
