import { messageOf } from '@gpu-actions/action-kit/ports'
import { quote, type Host } from '@gpu-actions/host'
import { systemPlace, unitName, type AgentPlace } from './agent-place.ts'
import { redact } from './redact.ts'

export interface DiagnosisWish {
  /** Asked for its health from the machine, without any token. */
  readonly apiBase: string
  readonly place?: AgentPlace
  /** Values that must not be in the text, beside everything that looks like a secret. */
  readonly secrets: readonly string[]
}

export interface Diagnosis {
  readonly sections: readonly { readonly title: string; readonly text: string }[]
  /** Sentences about what may be wrong, from what was found. */
  readonly causes: readonly string[]
  /** All of it as one text, for a log or a file. */
  readonly text: string
}

/** A section holds at most so many characters: its last ones. */
const sectionCharacters = 20_000

const tail = (path: string): string => `if [ -e ${quote(path)} ]; then
  tail -n 200 ${quote(path)} | tail -c ${sectionCharacters}
else
  echo 'There is no such file.'
fi
`

const reachScript = (apiBase: string): string => {
  const url = quote(`${apiBase.replace(/\/+$/, '')}/health`)
  return `if command -v curl >/dev/null 2>&1; then
  curl -sS -m 10 -o /dev/null -w 'HTTP %{http_code} in %{time_total} s from %{remote_ip}\\n' ${url} 2>&1
else
  python3 - ${url} <<'end of the program' 2>&1
import sys, urllib.error, urllib.request
try:
    print("HTTP", urllib.request.urlopen(sys.argv[1], timeout=10).status)
except urllib.error.HTTPError as error:
    print("HTTP", error.code)
except Exception as error:
    print(error)
end of the program
fi
true
`
}

const scriptsFor = ({ apiBase, place = systemPlace }: DiagnosisWish): readonly (readonly [string, string])[] => [
  [
    'Service',
    place.unit === null ? "echo 'The agent is no service here.'\n" : `systemctl status ${unitName} 2>&1 | head -n 15\n`,
  ],
  ['Agent log', tail(place.log)],
  ['Boot log', tail('/var/log/cloud-init-output.log')],
  ['The API from the machine', reachScript(apiBase)],
  ['GPUs', 'nvidia-smi 2>&1 | head -n 20 || true\n'],
  [
    'Containers',
    `if command -v docker >/dev/null 2>&1; then
  docker ps -a 2>&1 | head -n 20
  docker logs --tail 200 radix-agent 2>&1 | tail -c ${sectionCharacters}
else
  echo 'There is no docker.'
fi
true
`,
  ],
]

/** What a section's text hints at. */
const signs: readonly (readonly [RegExp, string])[] = [
  [
    /one-time token was (?:spent|not accepted)|"event": "token-refused"/,
    'The one-time token was spent or had expired: run the step again, which gets a new one.',
  ],
  [
    /one-time-token-unreadable/,
    "The agent could not read its one-time token: the machine's role must allow ssm:GetParameter on its path (and kms:Decrypt, with a key of your own).",
  ],
  [/neither the AWS CLI nor boto3/, 'The image has neither the AWS CLI nor boto3: use one that has.'],
  [
    /cannot be reached from this machine|^HTTP 000|Could not resolve host|Connection timed out|Connection refused/im,
    'The machine does not reach the API: see port 443 out in the security group, the route of the subnet, and DNS.',
  ],
  [/^HTTP 5\d\d/m, 'The API answers the machine with a server error.'],
  [/NVIDIA-SMI has failed|nvidia-smi: (?:not found|command not found)/i, 'There is no working NVIDIA driver.'],
  [/^There is no such file\.$/m, 'A log is missing: the machine may not have come that far.'],
]

/**
 * Asks a machine why its agent is not active. What cannot be had is said in its place; it never throws.
 */
export async function diagnose(host: Host, wish: DiagnosisWish): Promise<Diagnosis> {
  const sections: { title: string; text: string }[] = []
  for (const [title, script] of scriptsFor(wish)) {
    let text: string
    try {
      text = (await host.run(script, { timeoutMs: 45_000 })).output
    } catch (error) {
      text = `It could not be had: ${messageOf(error)}`
    }
    sections.push({ title, text: redact(text, wish.secrets).trim().slice(-sectionCharacters) })
  }
  const causes = signs.filter(([sign]) => sections.some(({ text }) => sign.test(text))).map(([, sentence]) => sentence)
  const text = [
    ...(causes.length === 0 ? [] : ['== Likely causes', ...causes.map(cause => `- ${cause}`), '']),
    ...sections.flatMap(({ title, text: found }) => [`== ${title}`, found, '']),
  ].join('\n')
  return { sections, causes, text }
}

const endings: Readonly<Record<string, string>> = {
  'token-refused': 'the agent ended, because its token is refused',
  'cluster-gone': 'the agent ended, because the API does not know its cluster',
  'configuration-wrong': 'the agent ended, because its configuration is wrong',
  'agent-locked': 'the agent ended, because another one serves this cluster',
  'agent-ended': 'the agent ended',
}

/** Why the agent on a machine will not come to life any more; null while it may, or when the machine does not say. */
export async function agentTrouble(host: Host, place: AgentPlace = systemPlace): Promise<string | null> {
  try {
    const { output } = await host.run(`tail -n 40 ${quote(place.log)} 2>/dev/null\ntrue\n`, { timeoutMs: 30_000 })
    return troubleIn(output)
  } catch {
    return null
  }
}

/** The same, from the end of the agent's log. */
export function troubleIn(log: string): string | null {
  let trouble: string | null = null
  for (const line of log.split('\n')) {
    const [, event = ''] = /"event": "([a-z-]+)"/.exec(line) ?? []
    if (event === 'agent-started') trouble = null
    else if (event !== 'agent-ended' || trouble === null) trouble = endings[event] ?? trouble
    const [, reason] = event === 'token-refused' ? (/"reason": "([^"]{1,300})/.exec(line) ?? []) : []
    if (reason !== undefined) trouble = `${endings[event]}: ${redact(reason)}`
  }
  return trouble
}
