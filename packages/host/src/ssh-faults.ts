import { formatDuration, OutsideFault } from '@gpu-actions/action-kit/ports'

/** What went wrong between the client and the host, as far as the client can tell. */
export type SshTrouble =
  | 'host-key'
  | 'key-file'
  | 'denied'
  | 'no-such-host'
  | 'no-name-service'
  | 'refused'
  | 'silent'
  | 'no-route'
  | 'nothing-in-common'
  | 'answers-otherwise'
  | 'lost'

/** The cause of a fault of ssh: its kind, and the client's own words. */
export class SshFailure extends Error {
  override readonly name = 'SshFailure'
  /** `late`: the script had no end in time, for whatever reason. */
  readonly trouble: SshTrouble | 'late'

  constructor(trouble: SshTrouble | 'late', words: string) {
    super(words)
    this.trouble = trouble
  }
}

/** The client's words, in the order in which they decide. It speaks English whatever the locale. */
const signs: readonly (readonly [RegExp, SshTrouble])[] = [
  [/Host key verification failed|HOST IDENTIFICATION HAS CHANGED|host key is known for/i, 'host-key'],
  [/Load key .*|UNPROTECTED PRIVATE KEY FILE/, 'key-file'],
  [/Permission denied \(/, 'denied'],
  [/Too many authentication failures/, 'denied'],
  [/Temporary failure in name resolution/, 'no-name-service'],
  [/Could not resolve hostname/, 'no-such-host'],
  [/Connection refused/, 'refused'],
  [/timed out/, 'silent'],
  [/No route to host|Network is unreachable|Host is down/, 'no-route'],
  [/no matching .* found/, 'nothing-in-common'],
]

/** Text of the client or of the host in one short line that cannot disturb a log. */
export const oneLine = (text: string): string =>
  text
    // oxlint-disable-next-line no-control-regex -- taking them out is the point
    .replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ')
    .trim()
    .slice(0, 200)

export interface SshAttempt {
  /** The client's standard error. */
  readonly words: string
  /** What the host printed in place of the script's end. */
  readonly printed: string
  /** The client's exit code: 255 when it is its own; null when it was killed. */
  readonly code: number | null
}

/** What an ssh call that brought no end of the script failed of. */
export function troubleOf({ words, printed, code }: SshAttempt): SshTrouble {
  const found = signs.find(([sign]) => sign.test(words))
  if (found !== undefined) return found[1]
  return code !== null && code !== 255 && code < 128 && (printed + words).trim() !== '' ? 'answers-otherwise' : 'lost'
}

/** Troubles of the moment: a machine that boots or a network that breaks. */
export const passing: ReadonlySet<SshFailure['trouble']> = new Set([
  'no-name-service',
  'refused',
  'silent',
  'no-route',
  'lost',
  'late',
])

export interface SshCircumstances {
  readonly host: string
  readonly port: number
  readonly user: string
  /** `SHA256:…` of the private key; null when its format does not show it. */
  readonly keyFingerprint: string | null
  readonly isPinned: boolean
  readonly connectMs: number
}

const sentenceOf = (
  trouble: SshTrouble,
  c: SshCircumstances,
  said: string,
): { readonly what: string; readonly advice: string } => {
  const { host, port, user } = c
  const key = c.keyFingerprint === null ? 'the private key that was given' : `the private key ${c.keyFingerprint}`
  switch (trouble) {
    case 'host-key':
      return c.isPinned
        ? {
            what: `${host} shows another host key than the one it was pinned to; nothing was sent to it`,
            advice:
              'If the machine was made anew, give its new host key (ssh-host-key), read from its own console; else somebody may stand in between.',
          }
        : {
            what: `${host} shows another host key than when it was first reached; nothing more was sent to it`,
            advice: 'See whether the address went to another machine. Pin the host key (ssh-host-key).',
          }
    case 'key-file':
      return {
        what: `The ssh client cannot read ${key} (${said})`,
        advice: 'Give the whole text of a private key without a passphrase, in a format of OpenSSH.',
      }
    case 'denied':
      return {
        what: `${host} does not let ${user} in with ${key} (${said})`,
        advice: `A server does not tell which of the two is wrong: see whether ${user} is the user of this machine's image (ubuntu, ec2-user, root, …), and whether the public half of the key is in that user's authorized_keys.`,
      }
    case 'no-such-host':
      return {
        what: `There is no host named ${host} (${said})`,
        advice: 'Correct the name; one that only a private network knows needs a runner in that network.',
      }
    case 'no-name-service':
      return {
        what: `The name ${host} could not be looked up (${said})`,
        advice: "See the runner's network, or give the address of the host.",
      }
    case 'refused':
      return {
        what: `${host} refused the connection: nothing listens on port ${port}`,
        advice: 'See whether the machine has booted, whether its ssh server runs, and whether the port is right.',
      }
    case 'silent':
      return {
        what: `${host} did not answer on port ${port} within ${formatDuration(c.connectMs)}`,
        advice: 'See whether the machine runs, and whether its firewall or security group lets the runner in.',
      }
    case 'no-route':
      return {
        what: `There is no way from here to ${host} (${said})`,
        advice: 'See whether the address is right, and whether it can be reached from the network of the runner.',
      }
    case 'nothing-in-common':
      return {
        what: `${host} and the ssh client here have no algorithm in common (${said})`,
        advice: 'Update the ssh server of the machine, or the client of the runner.',
      }
    case 'answers-otherwise':
      return {
        what: `${host} let ${user} in, but ran something else than it was asked to: ${said}`,
        advice: `See what the login shell of ${user} and a command= in authorized_keys do; images often want another user.`,
      }
    case 'lost':
      return {
        what: `The connection to ${host} broke${said === '' ? '' : ` (${said})`}`,
        advice: 'See whether the machine still runs, and the network between it and the runner.',
      }
  }
}

/** The words of an ssh call that brought no end of its script. */
export function sshFault(attempt: SshAttempt, circumstances: SshCircumstances): OutsideFault {
  const trouble = troubleOf(attempt)
  const said = oneLine(trouble === 'answers-otherwise' ? attempt.printed || attempt.words : lastWords(attempt.words))
  return new OutsideFault({ ...sentenceOf(trouble, circumstances, said), cause: new SshFailure(trouble, said) })
}

/** The line that says most: the last one that is about the matter. */
function lastWords(words: string): string {
  const lines = words.split('\n').filter(line => line.trim() !== '')
  const telling = lines.findLast(line => signs.some(([sign]) => sign.test(line)))
  return (telling ?? lines.at(-1) ?? '').replace(/^ssh: /, '')
}

/** The fault of a runner that has no ssh client. */
export const noClient = (program: string, cause: unknown): OutsideFault =>
  new OutsideFault({
    what: `There is no ${program} on this runner`,
    advice: "Install OpenSSH's client on it (Debian, Ubuntu: apt-get install openssh-client).",
    cause,
  })
