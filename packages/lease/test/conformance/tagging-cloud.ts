import type {
  GpuProvider,
  LaunchFault,
  Left,
  Machine,
  Offer,
  Place,
  Search,
  Stray,
  TerminateRefusal,
} from '../../src/index.ts'
import { jumpingClock } from '../fixtures/jumping-clock.ts'
import { offer } from '../fixtures/examples.ts'
import type { Living, Provider, ProviderWorld } from './provider-world.ts'

/** A cloud like EC2: marks from the launch call on, tokens, an end by itself, things that outlive their machine. */

interface Instance {
  readonly id: string
  readonly token: string | null
  readonly offer: Offer
  readonly marks: Readonly<Record<string, string>>
  readonly bornAt: number
  readonly volume: string
  readonly request: string | null
  endedAt: number | null
  reason: string | null
}

interface Loose {
  readonly kind: 'volume'
  readonly id: string
  readonly marks: Readonly<Record<string, string>>
}

const endingMs = 4_000
/** How much longer a volume lives than its machine, and how long a new machine stays invisible. */
const lingerMs = 2_000
const hiddenMs = 1_500

const left = (kind: string, id: string, place: Place, state: string): Left => ({
  kind,
  id,
  place,
  state,
  consoleLink: `https://console/${id}`,
  byHand: `end ${id}`,
})

export async function openTaggingCloud(market: Offer['market'] = 'on-demand'): Promise<ProviderWorld> {
  const clock = jumpingClock()
  const instances: Instance[] = []
  const loose: Loose[] = []
  const closed = new Set<string>()
  const broken = new Set<string>()
  const next: { fault?: LaunchFault; reply?: 'lost' | 'unsent' } = {}
  const offers = [offer('us-west-2a', { market }), offer('us-west-2b', { market })] as const
  const place = offers[0].place

  const since = (instance: Instance): number => (instance.endedAt === null ? -1 : clock.now() - instance.endedAt)
  const stateOf = (instance: Instance): Machine['state'] =>
    instance.endedAt === null ? 'running' : since(instance) >= endingMs ? 'gone' : 'ending'
  const hasVolume = (instance: Instance): boolean => since(instance) < endingMs + lingerMs
  const hasRequest = ({ request }: Instance): boolean => request !== null && !closed.has(request)
  const ask = ({ region }: Place): void => {
    clock.pass(100)
    if (broken.has(region)) throw new Error(`${region} does not answer`)
  }
  const show = (instance: Instance): Machine => ({
    id: instance.id,
    place: instance.offer.place,
    instanceType: instance.offer.instanceType,
    zone: instance.offer.zone,
    state: stateOf(instance),
    stateReason: instance.reason === null ? null : { code: instance.reason, message: '' },
    launchedAt: new Date(instance.bornAt).toISOString(),
    endedAt: null,
    token: instance.token,
    leaseId: instance.marks['lease'] ?? null,
    repository: instance.marks['repository'] ?? null,
    privateIp: null,
    publicIp: null,
    runId: instance.marks['run'] ?? null,
    job: instance.marks['job'] ?? null,
    expiresAt: instance.marks['expires'] ?? null,
    market: instance.offer.market,
    volumes: hasVolume(instance) ? [instance.volume] : [],
    interfaces: [],
    requests: instance.request === null ? [] : [instance.request],
    price: instance.offer.price,
    extras: instance.offer.extras,
  })
  const visible = (): readonly Instance[] => instances.filter(({ bornAt }) => clock.now() - bornAt >= hiddenMs)
  const matches = ({ marks, id }: Instance, search: Search): boolean => {
    if (marks['repository'] !== search.repository || marks['lease'] === undefined) return false
    if (search.by === 'lease') return marks['lease'] === search.leaseId
    if (search.by === 'run') return marks['run'] === search.runId
    return search.by === 'repository' || search.ids.includes(id)
  }
  const start = (token: string | null, wanted: Offer, marks: Instance['marks']): Instance => {
    const number = instances.length + 1
    const request = wanted.market === 'spot' ? `sir-${number}` : null
    const instance = {
      ...{ id: `i-${number}`, token, offer: wanted, marks, bornAt: clock.now() },
      ...{ volume: `vol-${number}`, request, endedAt: null, reason: null },
    }
    instances.push(instance)
    return instance
  }
  /** As EC2 does: one unknown id fails the whole call. */
  const terminateCall = (ids: readonly string[]): string | undefined => {
    const bad = ids.find(id => !visible().some(instance => instance.id === id))
    if (bad !== undefined) return bad
    for (const instance of instances.filter(({ id }) => ids.includes(id))) {
      if (instance.endedAt === null) instance.reason = 'Client.UserInitiatedShutdown'
      instance.endedAt ??= clock.now()
    }
    return undefined
  }

  const provider: Provider = {
    name: 'tagging',
    guestShutdown: 'terminates',
    minimumBilledSeconds: 60,
    freeInterruptionSeconds: 3_600,
    isInterruption: machine => machine.stateReason?.code === 'Server.SpotInstanceTermination',
    launch: async (wanted, intent) => {
      clock.pass(300)
      const { fault, reply } = next
      delete next.fault
      delete next.reply
      if (fault !== undefined) {
        return { kind: 'refused', fault, code: fault, message: fault, advice: `about ${fault}`, requestId: null }
      }
      if (reply === 'unsent') return { kind: 'unknown', message: 'connection reset' }
      const { owner, leaseId } = intent
      const marks = {
        ...{ lease: leaseId, repository: owner.repository, run: owner.runId, job: owner.job },
        expires: new Date(intent.expiresAt).toISOString(),
      }
      const known = instances.find(({ token }) => token === intent.token)
      const { id } = known ?? start(intent.token, wanted, marks)
      return reply === 'lost' ? { kind: 'unknown', message: 'no reply' } : { kind: 'launched', machines: [id] }
    },
    find: async (search, places) => {
      places.forEach(ask)
      return visible()
        .filter(instance => matches(instance, search))
        .map(show)
    },
    terminate: async machines => {
      ask(place)
      const refusals: TerminateRefusal[] = []
      let ids = machines.map(({ id }) => id)
      for (let bad = terminateCall(ids); bad !== undefined; bad = terminateCall(ids)) {
        const id = bad
        refusals.push({ id, fault: 'not-found', message: `${id} is not known` })
        ids = ids.filter(other => other !== id)
      }
      for (const { request, endedAt } of instances.filter(({ id }) => ids.includes(id))) {
        if (request !== null && endedAt !== null) closed.add(request)
      }
      return refusals
    },
    remains: async machines => {
      ask(place)
      const ids = new Set(machines.map(({ id }) => id))
      const ours = visible().filter(({ id }) => ids.has(id))
      return {
        machines: ours.map(show),
        left: ours.flatMap(instance => [
          ...(stateOf(instance) === 'gone' ? [] : [left('machine', instance.id, place, stateOf(instance))]),
          ...(stateOf(instance) === 'gone' && hasVolume(instance)
            ? [left('volume', instance.volume, place, 'in-use')]
            : []),
          ...(hasRequest(instance) ? [left('request', instance.request ?? '', place, 'open')] : []),
        ]),
      }
    },
    strays: async (repository, places) => {
      places.forEach(ask)
      return loose
        .filter(({ marks }) => marks['repository'] === repository && marks['lease'] !== undefined)
        .map(({ kind, id, marks }): Stray => ({
          ...left(kind, id, place, 'available'),
          leaseId: marks['lease'] ?? '',
          expiresAt: Date.parse(marks['expires'] ?? ''),
          createdAt: null,
        }))
    },
    endStrays: async strays => {
      ask(place)
      for (const { id } of strays) loose.splice(loose.findIndex(thing => thing.id === id) >>> 0, 1)
      return []
    },
    describeLaunch: (token, where) => left('launch', token, where, 'unknown'),
    describeMachine: machine => left('machine', machine.id, machine.place, machine.state),
  } satisfies Omit<GpuProvider, 'plan'>

  const living = async (): Promise<readonly Living[]> => [
    ...instances.flatMap((instance): Living[] => [
      ...(stateOf(instance) === 'gone' ? [] : [{ kind: 'machine' as const, id: instance.id }]),
      ...(hasVolume(instance) && instance.token !== null ? [{ kind: 'volume' as const, id: instance.volume }] : []),
      ...(hasRequest(instance) ? [{ kind: 'request' as const, id: instance.request ?? '' }] : []),
    ]),
    ...loose.map(({ kind, id }) => ({ kind, id })),
  ]
  const endOf = (id: string, reason: string): void => {
    const instance = instances.find(one => one.id === id)
    if (instance === undefined) throw new Error(`no ${id}`)
    instance.endedAt ??= clock.now()
    instance.reason = reason
    if (instance.request !== null) closed.add(instance.request)
  }

  return {
    provider,
    clock,
    now: () => clock.now(),
    offers,
    places: [place],
    living,
    refusals: ['capacity', 'quota', 'zone', 'subnet', 'throttled', 'denied', 'invalid', 'account', 'credentials'],
    refuseNext: async fault => void (next.fault = fault),
    loseNextReply: async () => void (next.reply = 'lost'),
    loseNextCall: async () => void (next.reply = 'unsent'),
    lateMs: 0,
    addForeign: async (repository, lease) =>
      [
        {},
        { repository: `${repository}-fork`, lease },
        { repository },
        { Repository: repository, Lease: lease },
        { repository: repository.toUpperCase(), lease },
      ].map(marks => start(null, { ...offers[0], market: 'on-demand' }, marks as Record<string, string>).id),
    breakPlace: async ({ region }) => void broken.add(region),
    mend: async () => broken.clear(),
    shutDownGuest: async id => endOf(id, 'Client.InstanceInitiatedShutdown'),
    interrupt: async id => endOf(id, 'Server.SpotInstanceTermination'),
    leaveStray: async (repository, lease, expiresAt) => {
      const thing = { kind: 'volume' as const, id: `vol-stray-${loose.length}` }
      loose.push({ ...thing, marks: { repository, lease, expires: new Date(expiresAt).toISOString() } })
      return thing
    },
    close: async () => {},
  }
}
