import { consoleTail, lookAt, statusChecks } from '@gpu-actions/aws'
import type { Launched, Lease, Machine } from '@gpu-actions/lease'
import type { Setting } from './setting.ts'
import type { Watched } from './wait.ts'

/** The end of the log of the first boot, and what the kernel said of the GPU. */
const bootLogScript = `tail -n 40 /var/log/cloud-init-output.log 2>/dev/null
dmesg 2>/dev/null | grep -iE 'nvrm|nvidia|xid' | tail -n 20
exit 0
`

/** What waiting for a machine looks at, and what is told when it does not come. */
export function watch(setting: Setting, lease: Lease, { machineId: id, offer }: Launched): Watched {
  const { context, ports } = setting
  const { clock, log, signal } = context
  const clients = ports.world.clientsFor(offer.place.region)
  const host = ports.hostFor(clients, id)
  const look = (): Promise<Machine | undefined> => lookAt(clients.ec2(), offer.place, id)

  async function diagnose(): Promise<readonly string[]> {
    const [machine, checks, console] = await Promise.all([
      look().catch(() => undefined),
      statusChecks(clients, id),
      consoleTail(clients, id),
    ])
    if (console !== null) {
      await log.group(`End of the console of ${id}`, async () => log.untrusted(console))
    }
    const profile = context.inputs.instanceProfileName ?? 'none'
    return [
      `EC2 shows it as ${machine?.state ?? 'unknown'}${machine?.stateReason ? ` (${machine.stateReason.code})` : ''}`,
      ...(checks === null ? [] : [checks]),
      `Instance profile: ${profile}. Private address: ${machine?.privateIp ?? 'none'}. Public address: ${machine?.publicIp ?? 'none'}`,
      console === null ? 'Its console has shown nothing so far' : 'The end of its console is in the log above',
    ]
  }

  /** For a machine that can be reached: what it says of its own boot. */
  async function bootLog(): Promise<readonly string[]> {
    try {
      const { output } = await host.run(bootLogScript, { timeoutMs: 30_000, signal })
      if (output.trim() === '') return ['Its boot log is empty']
      await log.group(`End of the boot log of ${id}`, async () => log.untrusted(output))
      return ['The end of its boot log is in the log above']
    } catch {
      return ['Its boot log could not be read']
    }
  }

  return {
    id,
    clock,
    log,
    signal,
    // The expiry is a moment on the service's clock; the runner's may be hours away from it.
    expiresAt: clock.now() + Date.parse(lease.expiresAt) - setting.now(),
    look,
    register: options => ports.register(clients, id, options),
    diagnose,
    bootLog,
    gpuHost: () => host,
  }
}
