import type { Intent, LaunchFault, Left, Machine, Offer, Place, Search, TerminateRefusal } from '../../src/index.ts'
import { jumpingClock } from '../fixtures/jumping-clock.ts'
import { offer } from '../fixtures/examples.ts'
import type { Provider, ProviderWorld } from './provider-world.ts'

/**
 * A cloud like Hot Aisle: a create call takes neither marks nor a token, goes on when its caller has died, and answers
 * with a name that comes round again. A description can be set afterwards. What is stopped keeps billing, what is
 * deleted is not shown any more. The provider therefore writes its own intents down, with the names that were there
 * before, and takes what has come without a description since.
 */

interface Box {
  readonly name: string
  readonly shape: string
  readonly bornAt: number
  description: string
  isStopped: boolean
}

/** What the provider keeps on disk: it survives the death of the caller. */
interface Journaled {
  readonly intent: Intent
  readonly before: readonly string[]
  readonly at: number
}

const createMs = 8_000
const place: Place = { account: 'team', region: 'michigan' }

/** The service: five calls, no more. */
function createService(clock: { now(): number; pass(ms: number): void }) {
  const boxes: Box[] = []
  const coming: { readonly at: number; readonly shape: string }[] = []
  const faults: { isBroken: boolean; reply?: 'lost' | 'unsent'; refusal?: LaunchFault } = { isBroken: false }
  const arrive = (): void => {
    while (coming[0] !== undefined && coming[0].at <= clock.now()) put(coming.shift()?.shape ?? '', '')
  }
  const put = (shape: string, description: string): Box => {
    let number = 1
    while (boxes.some(({ name }) => name === `gpuvm00${number}`)) number++
    const box = { name: `gpuvm00${number}`, shape, description, bornAt: clock.now(), isStopped: false }
    boxes.push(box)
    return box
  }
  const answer = (): void => {
    clock.pass(200)
    arrive()
    if (faults.isBroken) throw new Error('the service does not answer')
  }
  return {
    faults,
    put,
    all: (): readonly Box[] => (arrive(), boxes),
    list: (): readonly Readonly<Box>[] => (answer(), boxes.map(box => ({ ...box }))),
    create: (shape: string): 'refused' | 'no answer' | Box => {
      answer()
      const { reply, refusal } = faults
      delete faults.reply
      if (refusal !== undefined) return 'refused'
      if (reply === 'unsent') return 'no answer'
      if (reply === undefined) {
        clock.pass(createMs)
        return put(shape, '')
      }
      coming.push({ at: clock.now() + createMs, shape })
      return 'no answer'
    },
    describe: (name: string, description: string): void => {
      answer()
      const box = boxes.find(one => one.name === name)
      if (box !== undefined) box.description = description
    },
    destroy: (name: string): boolean => {
      answer()
      const index = boxes.findIndex(one => one.name === name)
      if (index >= 0) boxes.splice(index, 1)
      return index >= 0
    },
  }
}

interface Marks {
  readonly lease: string
  readonly repository: string
  readonly run: string
  readonly job: string
  readonly token: string
  readonly expires: string
}

const prefix = 'gpu-actions '
const write = ({ leaseId, owner, token, expiresAt }: Intent): string => {
  const { repository, runId: run, job } = owner
  const marks: Marks = { lease: leaseId, repository, run, job, token, expires: new Date(expiresAt).toISOString() }
  return `${prefix}${JSON.stringify(marks)}`
}
function read(description: string): Marks | undefined {
  if (!description.startsWith(prefix)) return undefined
  try {
    const marks = JSON.parse(description.slice(prefix.length)) as Partial<Marks>
    const { lease, repository, run, job, token, expires } = marks
    const isWhole = [lease, repository, run, job, token, expires].every(value => typeof value === 'string')
    return isWhole ? (marks as Marks) : undefined
  } catch {
    return undefined
  }
}

const left = (kind: string, id: string, state: string): Left => ({
  ...{ kind, id, place, state },
  consoleLink: `https://console/${id}`,
  byHand: `delete ${id}`,
})

function createProvider(service: ReturnType<typeof createService>, now: () => number): Provider {
  const journal = new Map<string, Journaled>()

  /** Ours: marked as such; or unmarked, and come since the one intent that is still open. */
  const ours = (): readonly { readonly box: Readonly<Box>; readonly marks: Marks }[] => {
    const boxes = service.list()
    return boxes.flatMap(box => {
      const marks = read(box.description)
      if (marks !== undefined) return [{ box, marks }]
      if (box.description !== '') return []
      const open = [...journal.values()].find(
        ({ intent, before, at }) =>
          box.bornAt >= at &&
          !before.includes(box.name) &&
          box.shape === intent.offer.instanceType &&
          !boxes.some(other => read(other.description)?.token === intent.token),
      )
      if (open === undefined) return []
      service.describe(box.name, write(open.intent))
      const adopted = read(write(open.intent))
      return adopted === undefined ? [] : [{ box, marks: adopted }]
    })
  }
  const show = ({ box, marks }: ReturnType<typeof ours>[number]): Machine => ({
    id: box.name,
    place,
    instanceType: box.shape,
    zone: null,
    state: box.isStopped ? 'stopped' : 'running',
    stateReason: null,
    launchedAt: new Date(box.bornAt).toISOString(),
    endedAt: null,
    token: marks.token,
    leaseId: marks.lease,
    repository: marks.repository,
    privateIp: null,
    publicIp: null,
    runId: marks.run,
    job: marks.job,
    expiresAt: marks.expires,
    market: 'on-demand',
    volumes: [],
    interfaces: [],
    requests: [],
    price: null,
    extras: [],
  })
  const matches = ({ repository, lease, run }: Marks, id: string, search: Search): boolean => {
    if (repository !== search.repository) return false
    if (search.by === 'lease') return lease === search.leaseId
    return search.by === 'run' ? run === search.runId : search.by === 'repository' || search.ids.includes(id)
  }
  /** A name comes round again: only the marks say whether it is still the same machine. */
  const same = (machine: Machine) =>
    ours().find(
      ({ box, marks }) => box.name === machine.id && (machine.token === null || marks.token === machine.token),
    )

  return {
    name: 'markless',
    guestShutdown: 'keeps-billing',
    minimumBilledSeconds: 60,
    launch: async (wanted, intent) => {
      const known = ours().find(({ marks }) => marks.token === intent.token)
      if (known !== undefined) return { kind: 'launched', machines: [known.box.name] }
      const before = journal.get(intent.token)
      // The first call may still be at work: a second one would make a second machine.
      if (before !== undefined && now() - before.at < createMs * 2) {
        return { kind: 'unknown', message: 'an earlier create call may still be at work' }
      }
      const names = service.list().map(({ name }) => name)
      journal.set(intent.token, { intent, before: names, at: now() })
      const reply = service.create(wanted.instanceType)
      if (reply === 'no answer') return { kind: 'unknown', message: 'no answer' }
      if (reply === 'refused') {
        const fault = service.faults.refusal ?? 'invalid'
        delete service.faults.refusal
        journal.delete(intent.token)
        return { kind: 'refused', fault, code: '404', message: 'none', advice: 'Wait.', requestId: null }
      }
      service.describe(reply.name, write(intent))
      return { kind: 'launched', machines: [reply.name] }
    },
    find: async search =>
      ours()
        .filter(({ box, marks }) => matches(marks, box.name, search))
        .map(show),
    terminate: async machines =>
      machines.flatMap((machine): TerminateRefusal[] => {
        const own = same(machine)
        if (own !== undefined && service.destroy(own.box.name)) return []
        return [{ id: machine.id, fault: 'not-found', message: `${machine.id} is not ours, or gone` }]
      }),
    remains: async machines => {
      const living = machines.flatMap(machine => same(machine) ?? [])
      return {
        machines: living.map(show),
        left: living.map(({ box }) => left('machine', box.name, box.isStopped ? 'stopped' : 'running')),
      }
    },
    strays: async () => (service.list(), []),
    endStrays: async () => [],
    describeLaunch: token => left('launch', token, 'unknown'),
    describeMachine: machine => left('machine', machine.id, machine.state),
  }
}

export async function openMarklessCloud(): Promise<ProviderWorld> {
  const clock = jumpingClock()
  const service = createService(clock)
  const shape = (instanceType: string): Offer => offer('', { instanceType, place, zone: null, subnet: null })
  return {
    provider: createProvider(service, () => clock.now()),
    clock,
    now: () => clock.now(),
    offers: [shape('1x-mi300x'), shape('2x-mi300x')],
    places: [place],
    living: async () => service.all().map(({ name: id }) => ({ kind: 'machine', id })),
    refusals: ['capacity'],
    refuseNext: async fault => void (service.faults.refusal = fault),
    loseNextReply: async () => void (service.faults.reply = 'lost'),
    loseNextCall: async () => void (service.faults.reply = 'unsent'),
    lateMs: createMs,
    addForeign: async (repository, lease) =>
      [
        '',
        'somebody else',
        `${prefix}not json`,
        `${prefix}${JSON.stringify({ repository, lease })}`,
        `${prefix}${JSON.stringify({ lease, repository: `${repository}-fork`, run: '77', job: 'bench', token: 't', expires: '' })}`,
      ].map(description => service.put('8x-mi300x', description).name),
    breakPlace: async () => void (service.faults.isBroken = true),
    mend: async () => void (service.faults.isBroken = false),
    shutDownGuest: async id => {
      const box = service.all().find(({ name }) => name === id)
      if (box !== undefined) box.isStopped = true
    },
    reuseId: async id => {
      const [wanted, lease] = [shape('1x-mi300x'), '78-1-bbbbbbbb']
      const owner = { repository: 'org/consumer', runId: '78', attempt: 1, job: 'bench' }
      const intent = { leaseId: lease, owner, number: 1, token: 'another', offer: wanted, expiresAt: clock.now() + 1 }
      if (service.put(wanted.instanceType, write(intent)).name !== id) throw new Error(`${id} is not free`)
    },
    close: async () => {},
  }
}
