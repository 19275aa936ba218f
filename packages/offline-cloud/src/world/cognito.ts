import { account } from './account.ts'

/** The status of a user as a user pool keeps it. */
export type UserStatus = 'CONFIRMED' | 'FORCE_CHANGE_PASSWORD' | 'UNCONFIRMED' | 'RESET_REQUIRED'

export interface UserData {
  /** The e-mail address, by which the user logs in. */
  readonly email: string
  readonly password: string
  /** The `sub` claim; also the user's real name in the pool, as where people log in by their address. */
  readonly sub: string
  readonly status: UserStatus
  /** Whether a login asks for a code by SMS after the password. */
  readonly hasSmsMfa: boolean
}

export type AuthFlow = 'ADMIN_USER_PASSWORD_AUTH' | 'USER_PASSWORD_AUTH' | 'REFRESH_TOKEN_AUTH'

/** An app client. Its id and access tokens live `tokenSeconds`, AWS's default. */
export interface AppClientData {
  readonly id: string
  readonly secret: string | null
  readonly flows: readonly AuthFlow[]
  readonly tokenSeconds: number
}

const hour = 3600
const passwordFlows = ['ADMIN_USER_PASSWORD_AUTH', 'USER_PASSWORD_AUTH', 'REFRESH_TOKEN_AUTH'] as const

/** The app clients by what they are for. */
export const appClients = {
  /** For CI: both password flows, no secret. */
  ci: { id: 'offlineci00000000000000000', secret: null, flows: passwordFlows, tokenSeconds: hour },
  /** The same with a secret, so every login needs a SECRET_HASH. */
  ciWithSecret: {
    id: 'offlineciwithsecret0000000',
    secret: 'offline-client-secret-000000000000',
    flows: passwordFlows,
    tokenSeconds: hour,
  },
  /** The dashboard's. */
  dashboard: { id: 'offlinedashboard0000000000', secret: null, flows: passwordFlows, tokenSeconds: hour },
  /** Its tokens are valid, but the cluster API does not know it. */
  other: { id: 'offlineother00000000000000', secret: null, flows: passwordFlows, tokenSeconds: hour },
  /** The flows with a plain password are off. */
  noFlow: { id: 'offlinenoflow000000000000', secret: null, flows: ['REFRESH_TOKEN_AUTH'], tokenSeconds: hour },
} as const satisfies Readonly<Record<string, AppClientData>>

const password = 'Offline-Passw0rd'

const user = (name: string, number: number, more: Partial<UserData> = {}): UserData => ({
  email: `${name}@example.com`,
  password,
  sub: `00000000-0000-4000-8000-00000000000${number}`,
  status: 'CONFIRMED',
  hasSmsMfa: false,
  ...more,
})

const region = 'us-west-2'
const poolId = `${region}_OFFLINE01`

/** The one user pool, with everybody in it. */
export const cognito = {
  region,
  poolId,
  arn: `arn:aws:cognito-idp:${region}:${account}:userpool/${poolId}`,
  /** The `iss` claim. The keys are served at `<endpoint>/<pool id>/.well-known/jwks.json`. */
  issuer: `https://cognito-idp.${region}.amazonaws.com/${poolId}`,
  clients: appClients,
  users: {
    ci: user('ci', 1),
    /** Never logged in: its first password must be changed. */
    new: user('new', 2, { status: 'FORCE_CHANGE_PASSWORD' }),
    mfa: user('mfa', 3, { hasSmsMfa: true }),
    unconfirmed: user('unconfirmed', 4, { status: 'UNCONFIRMED' }),
    /** An administrator asked for a new password. */
    reset: user('reset', 5, { status: 'RESET_REQUIRED' }),
  },
  /** The app clients whose tokens the cluster API takes. */
  clusterApiClients: [appClients.ci.id, appClients.dashboard.id],
} as const
