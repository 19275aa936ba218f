import { OutsideFault, type Log } from '@gpu-actions/action-kit/ports'
import { quote, type Host } from '@gpu-actions/host'
import { agentCommand, filesOf, stopScript, systemPlace, unitName, type AgentPlace } from './agent-place.ts'

/** How the agent gets its one-time token. */
export type TokenPlace =
  /** Read on the machine, with the machine's own rights, and deleted. */
  | { readonly kind: 'ssm-parameter'; readonly name: string; readonly region: string }
  /** Uploaded as a file that only the agent's user can read. Only for transports that keep no history of what they carry. */
  | { readonly kind: 'secret'; readonly secret: string }

/** What the agent is told. Nothing of it is secret. */
export interface AgentSettings {
  readonly apiBase: string
  readonly clusterId: string
  readonly tenantId: string
  /** Runs jobs as processes with the benchmark program, or in the container image. */
  readonly execution: 'process' | 'container'
  readonly image?: string
  readonly pollSeconds?: number
  readonly heartbeatSeconds?: number
  readonly jobSeconds?: number
  /** Sizes that the job's own do not say; small ones and `allowCpu` are for machines without a GPU. */
  readonly benchmark?: {
    readonly stepsPerEpoch?: number
    readonly imageSize?: number
    readonly threads?: number
    readonly allowCpu?: boolean
    /** The program trains on several GPUs under torchrun; the suite's own does not. */
    readonly distributed?: boolean
  }
}

export interface AgentInstallation {
  /** The agent's file (`agent/gpu_actions_agent.py`), and the benchmark programs (`programs.pyz`). */
  readonly agent: Uint8Array
  readonly program: Uint8Array
  readonly settings: AgentSettings
  readonly token: TokenPlace
  /** The only Python to try; else the one of the Deep Learning AMIs, then the system's. */
  readonly python?: string
  /** Default: the system's places, as root. */
  readonly place?: AgentPlace
  /** How long the agent may run where no service manager holds it, in milliseconds. */
  readonly lifetimeMs: number
  /** Added to the agent's environment. Nothing secret. */
  readonly environment?: Readonly<Record<string, string>>
}

export interface InstalledAgent {
  readonly version: string
  /** The id of the detached job that holds the agent; null: a service does. */
  readonly jobId: string | null
}

const usual = ['/opt/pytorch/bin/python', 'python3'] as const

const old = 'import sys; sys.exit(sys.version_info < (3, 8))'
// Importing it would read gigabytes from a fresh volume.
const torchless = 'import importlib.util as u, sys; sys.exit(sys.version_info < (3, 8) or u.find_spec("torch") is None)'

const prepareScript = (place: AgentPlace, pythons: readonly string[], probe: string): string => `umask 077
mkdir -p ${quote(place.folder)} && chmod 700 ${quote(place.folder)} || exit
[ "$(id -u)" = 0 ] && [ -d /run/systemd/system ] && echo SYSTEMD
for python in ${pythons.map(quote).join(' ')}; do
  found=$(command -v "$python" 2>/dev/null) || continue
  "$found" -c ${quote(probe)} 2>/dev/null && { echo "PYTHON $found"; exit 0; }
done
`

/** @throws RangeError for a value that a unit file cannot carry */
function environmentLine([name, value]: readonly [string, string]): string {
  if (!/^[A-Za-z_]\w*$/.test(name) || /["\\\n]/.test(value)) throw new RangeError(`not for a unit file: ${name}`)
  return `Environment="${name}=${value.replaceAll('%', '%%')}"\n`
}

const unitFile = (place: AgentPlace, python: string, environment: Readonly<Record<string, string>>): string => `[Unit]
Description=GPU Actions: agent of the cluster API
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
ExecStart=${agentCommand(place, python, '--keep-running').join(' ')}
Environment=HOME=/root
${Object.entries(environment).map(environmentLine).join('')}StandardOutput=append:${place.log}
StandardError=append:${place.log}
KillMode=control-group
TimeoutStopSec=30

[Install]
WantedBy=multi-user.target
`

const startUnitScript = (unit: string, text: string): string => `umask 022
cat >${quote(unit)} <<'end of the unit' || exit
${text}end of the unit
systemctl daemon-reload && systemctl enable ${unitName} && systemctl restart ${unitName} && systemctl is-active ${unitName}
`

async function must(host: Host, doing: string, script: string, timeoutMs = 60_000): Promise<string> {
  const { exitCode, output } = await host.run(script, { timeoutMs })
  if (exitCode === 0) return output
  throw new OutsideFault({
    what: `${doing} on ${host.name} failed (exit code ${exitCode}): ${output.trim().slice(-600) || 'it said nothing'}`,
    advice: 'See whether the disk of the machine is full, and whether commands there run as root.',
  })
}

const linesOf = (output: string, word: string): readonly string[] =>
  output.split('\n').flatMap(line => (line.startsWith(`${word} `) ? [line.slice(word.length + 1).trim()] : []))

/** Ends an agent that runs already, whichever way. */
export async function stopAgent(host: Host, place: AgentPlace): Promise<void> {
  const output = await must(host, 'Stopping the agent', stopScript(place))
  for (const job of linesOf(output, 'JOB')) if (/^[A-Za-z0-9.-]+$/.test(job)) await host.job(job).cancel()
}

async function findPython(host: Host, installation: AgentInstallation, place: AgentPlace) {
  const { python: asked, settings } = installation
  const needsTorch = asked === undefined && settings.execution === 'process'
  const script = prepareScript(place, asked === undefined ? usual : [asked], needsTorch ? torchless : old)
  const output = await must(host, 'Making a place for the agent', script)
  const [python] = linesOf(output, 'PYTHON')
  if (python !== undefined) return { python, systemd: /^SYSTEMD$/m.test(output) }
  throw new OutsideFault({
    what: `No Python on ${host.name} will do for the agent: it must be 3.8 or later${needsTorch ? ' and have PyTorch' : ''} (tried ${asked ?? usual.join(', ')})`,
    advice: needsTorch
      ? 'Use an image that has PyTorch, as the Deep Learning AMIs with PyTorch have, or run jobs in a container image.'
      : 'Name another Python, or use an image that has one.',
  })
}

/** What `--check` of the agent says. @throws OutsideFault that lists what stands in its way */
async function check(host: Host, place: AgentPlace, python: string): Promise<string> {
  const command = agentCommand(place, python, '--check').map(quote).join(' ')
  const { output } = await host.run(`${command}\n`, { timeoutMs: 180_000 })
  const line = output.split('\n').findLast(text => text.startsWith('{"ok"'))
  const said: unknown = line === undefined ? null : JSON.parse(line)
  if (typeof said === 'object' && said !== null && 'ok' in said && 'version' in said) {
    if (said.ok === true) return String(said.version)
    const faults = 'faults' in said && Array.isArray(said.faults) ? said.faults.map(String) : []
    throw new OutsideFault({
      what: [`The agent cannot work on ${host.name}:`, ...faults.map(fault => `- ${fault}`)].join('\n'),
      advice:
        'Where the API cannot be reached: see whether the security group lets port 443 out and whether the subnet has a route to the internet.',
    })
  }
  throw new OutsideFault({
    what: `The agent does not start on ${host.name}: ${output.trim().slice(-600) || 'it said nothing'}`,
    advice: 'See which Python is there.',
  })
}

/**
 * Puts the agent on a machine and starts it: as a systemd service where root has systemd, else as a detached job of
 * the host. An agent that is there already is replaced; its state is kept. The one-time token is in no script, no
 * argument and no setting.
 * @throws OutsideFault when it could not be installed, or when the agent says what stands in its way
 */
export async function installAgent(
  host: Host,
  installation: AgentInstallation,
  log: Pick<Log, 'info'>,
): Promise<InstalledAgent> {
  const { settings, token, place = systemPlace, environment = {} } = installation
  const files = filesOf(place)
  await stopAgent(host, place)
  const { python, systemd } = await findPython(host, installation, place)
  await host.upload(files.agent, installation.agent, { mode: 0o755 })
  await host.upload(files.program, installation.program)
  if (token.kind === 'secret') await host.upload(files.token, new TextEncoder().encode(token.secret), { mode: 0o600 })
  const oneTimeToken = token.kind === 'secret' ? { file: files.token } : { parameter: token.name, region: token.region }
  const configuration = new TextEncoder().encode(`${JSON.stringify({ ...settings, oneTimeToken }, null, 2)}\n`)
  await host.upload(place.config, configuration, { mode: 0o600 })
  const version = await check(host, place, python)
  log.info(`Agent ${version} is on ${host.name}; it runs jobs with ${python}.`)
  if (place.unit !== null && systemd) {
    await must(host, 'Starting the agent', startUnitScript(place.unit, unitFile(place, python, environment)))
    return { version, jobId: null }
  }
  const words = agentCommand(place, python, '--keep-running')
  const job = await host.start({
    name: 'gpu-actions-agent',
    command: ['/bin/sh', '-c', 'exec "$@" >>"$0" 2>&1', place.log, ...words],
    environment,
    timeoutMs: installation.lifetimeMs,
  })
  await must(host, 'Noting where the agent runs', `umask 077\necho ${quote(job.id)} >${quote(files.job)}\n`)
  return { version, jobId: job.id }
}

/**
 * Ends the agent and takes everything of it off the machine but its log. Nothing there is success.
 * @throws OutsideFault when it could not be ended
 */
export async function removeAgent(host: Host, place: AgentPlace = systemPlace): Promise<void> {
  await stopAgent(host, place)
  const unit =
    place.unit === null
      ? ''
      : `if [ -e ${quote(place.unit)} ]; then
  systemctl disable ${unitName}
  rm -f ${quote(place.unit)} && systemctl daemon-reload || exit
fi
`
  await must(host, 'Removing the agent', `${unit}rm -rf ${quote(place.folder)} ${quote(place.config)}\n`)
}
