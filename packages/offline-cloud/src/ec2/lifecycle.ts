import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Cloud } from '../cloud.ts'
import type { Fault, FaultTarget } from '../faults.ts'
import { metadataPath } from '../metadata/path.ts'
import type { Session } from '../sts/sessions.ts'
import { account, instanceProfiles } from '../world/account.ts'
import type { Instance, NetworkInterface, Volume } from './model.ts'
import { instanceEnded, requestOf } from './spot-requests.ts'

/** What was decided about an instance's boot when it was launched. */
export interface BootPlan {
  readonly slowBy: number
  readonly neverRegisters: boolean
  readonly terminated: Fault | null
  /** What happens once it runs. */
  readonly whenRunning: () => void
}

interface Reason {
  readonly code: string
  readonly message: string
  readonly transition: string
}

const seconds = (count: number): number => count * 1000

const stamp = (ms: number): string => `(${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} GMT)`

const byUser = (now: number): Reason => ({
  code: 'Client.UserInitiatedShutdown',
  message: 'Client.UserInitiatedShutdown: User initiated shutdown',
  transition: `User initiated ${stamp(now)}`,
})

const byGuest = (now: number): Reason => ({
  code: 'Client.InstanceInitiatedShutdown',
  message: 'Client.InstanceInitiatedShutdown: Instance initiated shutdown',
  transition: `Instance initiated ${stamp(now)}`,
})

const byService = (code: string): Reason => ({
  code,
  message:
    code === 'Server.InsufficientInstanceCapacity'
      ? `${code}: Insufficient capacity to satisfy instance request`
      : `${code}: Internal error on launch`,
  transition: code,
})

const explain = (instance: Instance, reason: Reason): void => {
  instance.stateReason = { code: reason.code, message: reason.message }
  instance.transition = reason.transition
}

/** Sends a fresh instance on its way: pending, then running with its machine booted, then known to SSM. */
export function begin(cloud: Cloud, instance: Instance, plan: BootPlan): void {
  cloud.clock.after(seconds(cloud.timings.pendingSeconds), () => {
    if (instance.state !== 'pending') return
    if (plan.terminated !== null) {
      explain(instance, byService(plan.terminated.stateReason ?? 'Server.InternalError'))
      finish(cloud, instance)
      return
    }
    instance.state = 'running'
    instance.runningAt = cloud.clock.now()
    plan.whenRunning()
    strike(cloud, instance)
    cloud.clock.after(seconds(plan.slowBy), () => boot(cloud, instance, plan.neverRegisters))
  })
}

const targetOf = (instance: Instance, operation: string): FaultTarget => ({
  service: 'ec2',
  operation,
  region: instance.region,
  zone: instance.zone.name,
  instanceType: instance.type.name,
})

// Faults of a machine that runs, counted from now.
function strike(cloud: Cloud, instance: Instance): void {
  const target = targetOf(instance, 'RunInstances')
  const impaired = cloud.faults.take(['impaired'], target)
  if (impaired !== null) instance.impairedAt = cloud.clock.now() + seconds(impaired.seconds ?? 0)
  const rebooted = cloud.faults.take(['reboot'], target)
  if (rebooted !== null) cloud.clock.after(seconds(rebooted.seconds ?? 30), () => reboot(cloud, instance))
}

/** Boots the machine of a running instance again, all in it dead and its disk kept; else nothing happens. */
export function reboot(cloud: Cloud, instance: Instance): void {
  if (instance.state !== 'running') return
  // Whatever comes of it is heard by `onReboot`.
  cloud.machines
    .get(instance.id)
    ?.reboot()
    .catch(() => {})
}

function boot(cloud: Cloud, instance: Instance, neverRegisters: boolean): void {
  if (instance.state !== 'running') return
  const directory = join(cloud.directory, 'machines', instance.id)
  mkdirSync(directory, { recursive: true })
  let boots = 0
  const booted = (done: Promise<void>): void => {
    boots += 1
    const count = boots
    done.then(
      () => register(cloud, instance, neverRegisters, () => boots === count),
      (cause: unknown) => {
        if (instance.state !== 'running') return
        process.stderr.write(`offline cloud: the machine of ${instance.id} did not start: ${String(cause)}\n`)
        explain(instance, byService('Server.InternalError'))
        end(cloud, instance)
      },
    )
  }
  const machine = cloud.createMachine({
    instanceId: instance.id,
    directory,
    userData: instance.userData,
    python: cloud.python,
    role: roleKeys(cloud, instance),
    env: {
      AWS_ENDPOINT_URL: cloud.url(),
      AWS_REGION: instance.region,
      AWS_EC2_METADATA_SERVICE_ENDPOINT: `${cloud.url()}${metadataPath(instance.id)}`,
    },
    systemd: cloud.guestsHaveSystemd,
    onReboot(done) {
      instance.ssm = 'offline'
      booted(done)
    },
    now: () => cloud.clock.now(),
  })
  cloud.machines.set(instance.id, machine)
  void machine.poweredOff.then(() => poweredOff(cloud, instance))
  booted(machine.boot())
}

// They never expire: on AWS the metadata service would give new ones in time.
function roleKeys(cloud: Cloud, instance: Instance): Session | null {
  const profile = instanceProfiles.find(({ name }) => name === instance.profile)
  if (profile === undefined) return null
  const arn = `arn:aws:sts::${account}:assumed-role/${profile.roleName}/${instance.id}`
  return cloud.sessions.issue(arn, `${profile.roleId}:${instance.id}`, Number.POSITIVE_INFINITY, profile.parameterPath)
}

// Without an instance profile or a way to the service's endpoints the agent never gets through.
function register(cloud: Cloud, instance: Instance, neverRegisters: boolean, isSameBoot: () => boolean): void {
  if (neverRegisters || instance.profile === null || instance.subnet.way === 'none') return
  cloud.clock.after(seconds(cloud.timings.registrationSeconds), () => {
    if (instance.state !== 'running' || !isSameBoot()) return
    instance.ssm = 'online'
    instance.registeredAt = cloud.clock.now()
  })
}

function poweredOff(cloud: Cloud, instance: Instance): void {
  if (instance.state !== 'running') return
  explain(instance, byGuest(cloud.clock.now()))
  // A one-time spot instance cannot be stopped: its guest's shutdown ends it.
  const isOneTime = requestOf(cloud, instance)?.type === 'one-time'
  if (instance.onShutdown === 'terminate' || isOneTime) return end(cloud, instance)
  stop(cloud, instance)
}

function stop(cloud: Cloud, instance: Instance): void {
  instance.state = 'stopping'
  instance.ssm = 'offline'
  halt(cloud, instance)
  cloud.clock.after(seconds(cloud.timings.shutdownSeconds), () => {
    if (instance.state === 'stopping') instance.state = 'stopped'
  })
}

/** Ends an instance as the API's caller wishes; an instance that is already ending is left alone. */
export function terminate(cloud: Cloud, instance: Instance): void {
  if (instance.state === 'shutting-down' || instance.state === 'terminated') return
  explain(instance, byUser(cloud.clock.now()))
  end(cloud, instance)
}

const byEc2 = (cloud: Cloud, code: string, words: string): Reason => ({
  code,
  message: `${code}: ${words}`,
  transition: `Service initiated ${stamp(cloud.clock.now())}`,
})

/** Ends an instance because EC2 wants its capacity back; one that is already ending is left alone. */
export function takeAway(cloud: Cloud, instance: Instance, code: string, words: string): void {
  if (instance.state === 'shutting-down' || instance.state === 'terminated') return
  explain(instance, byEc2(cloud, code, words))
  end(cloud, instance)
}

/** Stops a running spot instance that was to be stopped, not ended, at an interruption; false if it no longer runs. */
export function stopForCapacity(cloud: Cloud, instance: Instance): boolean {
  if (instance.state !== 'running') return false
  explain(instance, byEc2(cloud, 'Server.SpotInstanceShutdown', 'Spot instance shutdown'))
  stop(cloud, instance)
  return true
}

// As long as a metal instance was once seen to take.
const slowShutdownSeconds = 1140

function end(cloud: Cloud, instance: Instance): void {
  instance.state = 'shutting-down'
  instance.ssm = 'offline'
  halt(cloud, instance)
  const slow = cloud.faults.take(['slow-shutdown'], targetOf(instance, 'TerminateInstances'))
  const lasting = slow === null ? cloud.timings.shutdownSeconds : (slow.seconds ?? slowShutdownSeconds)
  cloud.clock.after(seconds(lasting), () => finish(cloud, instance))
}

function halt(cloud: Cloud, instance: Instance): void {
  const machine = cloud.machines.get(instance.id)
  if (machine === undefined) return
  cloud.machines.delete(instance.id)
  instance.console = machine.consoleOutput()
  void machine.kill()
}

function finish(cloud: Cloud, instance: Instance): void {
  instance.state = 'terminated'
  instance.ssm = 'offline'
  instance.terminatedAt = cloud.clock.now()
  instanceEnded(cloud, instance)
  cloud.clock.after(seconds(cloud.timings.releaseSeconds), () => release(cloud, instance))
}

// What was launched with the instance goes a moment after it, unless it was told to stay.
function release(cloud: Cloud, instance: Instance): void {
  for (const id of instance.volumes) letGo(cloud.ec2.volumes, id)
  for (const id of instance.interfaces) letGo(cloud.ec2.interfaces, id)
}

function letGo<T extends Volume | NetworkInterface>(kind: Map<string, T>, id: string): void {
  const resource = kind.get(id)
  if (resource === undefined) return
  if (resource.deleteOnTermination) kind.delete(id)
  else {
    resource.instance = null
    resource.state = 'available'
  }
}
