import { accessKeyId, secret } from '../ids.ts'
import { account, userName } from '../world/account.ts'

/** Short-lived credentials that STS gave out. `expiresAt` in ms of the cloud's clock. */
export interface Session {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
  readonly expiresAt: number
  readonly arn: string
  readonly userId: string
  readonly parameterPath: string | null
}

/** Who stands behind an access key. */
export interface Identity {
  readonly arn: string
  readonly userId: string
  /** Null: may do everything. Else: may get and delete the parameters below this path and nothing more. */
  readonly parameterPath: string | null
}

export interface Sessions {
  /** Ends every session that has an end, so all but those of instance roles. */
  expireAll(now: number): void
  issue(arn: string, userId: string, expiresAt: number, parameterPath?: string | null): Session
  /**
   * The identity behind a signed request. Session keys (`ASIA…`) must be ones that STS gave out, with their token; any
   * other key stands for the account's user, because without its secret nobody could tell.
   */
  identify(keyId: string, sessionToken: string | undefined, now: number): Identity | 'unknown' | 'expired'
}

const user: Identity = {
  arn: `arn:aws:iam::${account}:user/${userName}`,
  userId: 'AIDAC0FFEEC0FFEE00001',
  parameterPath: null,
}

export function createSessions(): Sessions {
  const sessions = new Map<string, Session>()
  return {
    expireAll(now) {
      for (const [id, session] of sessions)
        if (session.expiresAt !== Number.POSITIVE_INFINITY)
          sessions.set(id, { ...session, expiresAt: Math.min(session.expiresAt, now) })
    },
    issue(arn, userId, expiresAt, parameterPath = null) {
      const session: Session = {
        accessKeyId: accessKeyId('ASIA'),
        secretAccessKey: secret(30),
        sessionToken: secret(270),
        expiresAt,
        arn,
        userId,
        parameterPath,
      }
      sessions.set(session.accessKeyId, session)
      return session
    },
    identify(keyId, sessionToken, now) {
      if (!keyId.startsWith('ASIA')) return user
      const session = sessions.get(keyId)
      if (session === undefined || session.sessionToken !== sessionToken) return 'unknown'
      return session.expiresAt <= now ? 'expired' : session
    },
  }
}
