import { describe, expect, test } from '@jest/globals'
import { OutsideFault } from '@gpu-actions/action-kit/ports'
import { launchBreaker } from '../src/index.ts'
import { offer } from './fixtures/examples.ts'
import { failure, startLaunch } from './fixtures/launching.ts'

describe('launching', () => {
  test('goes to the next offer when a zone has no capacity, does not offer the type, or has no addresses', async () => {
    const { launcher, world } = startLaunch(
      { launch: ['capacity', 'zone', 'subnet'] },
      ['a', 'b', 'c', 'd'].map(z => offer(z)),
    )
    expect((await launcher.next()).offer.zone).toBe('d')
    expect(world.machines).toHaveLength(1)
  })

  test('leaves out the whole market of the region when its quota is used up', async () => {
    const elsewhere = offer('x', { place: { account: '123456789012', region: 'us-east-1' } })
    const { launcher, world } = startLaunch({ launch: ['quota'] }, [
      offer('a'),
      offer('b'),
      offer('c', { instanceType: 'g6.xlarge' }),
      elsewhere,
    ])
    expect((await launcher.next()).offer.place.region).toBe('us-east-1')
    expect(world.calls).toHaveLength(2)
  })

  test('repeats the same call with the same token when the service is throttling', async () => {
    const { launcher, world } = startLaunch({ launch: ['throttled', 'throttled'] }, [offer('a'), offer('b')])
    const { attempt } = await launcher.next()
    expect(new Set(world.calls.map(call => call.token)).size).toBe(1)
    expect(attempt).toMatchObject({ number: 1, calls: 3, outcome: { kind: 'launched' } })
  })

  test('finds the one machine of a call whose reply was lost, and launches no second one', async () => {
    const { launcher, world } = startLaunch({ launch: ['lost'] }, [offer('a')])
    const launched = await launcher.next()
    expect(world.machines.map(machine => machine.id)).toEqual([launched.machineId])
    expect(world.calls).toHaveLength(1)
  })

  test('repeats with the same token when the machine of a lost reply is not visible yet', async () => {
    const { launcher, world } = startLaunch({ launch: ['lost', 'lost'], hiddenMs: 60_000 }, [offer('a')])
    await launcher.next()
    expect(world.machines).toHaveLength(1)
    expect(world.calls).toHaveLength(3)
  })

  test('does not go on to another offer while the outcome of one is unknown', async () => {
    const { launcher, world, saved } = startLaunch({ launch: Array.from({ length: 50 }, () => 'unsent' as const) }, [
      offer('a'),
      offer('b'),
    ])
    expect(await failure(launcher.next())).toBeInstanceOf(OutsideFault)
    expect(new Set(world.calls.map(call => call.offer.zone))).toEqual(new Set(['a']))
    expect(saved.attempts).toMatchObject([{ outcome: { kind: 'unknown' } }])
  })

  test.each(['denied', 'invalid', 'account', 'credentials', 'token'] as const)(
    'stops at once when the call is %s',
    async fault => {
      const { launcher, world } = startLaunch({ launch: [fault] }, [offer('a'), offer('b')])
      expect(await failure(launcher.next())).toBeInstanceOf(OutsideFault)
      expect(world.calls).toHaveLength(1)
    },
  )

  test('says what was tried when no offer can be had', async () => {
    const { launcher } = startLaunch({ launch: ['capacity', 'zone'] }, [offer('us-west-2a'), offer('us-west-2b')])
    expect(String(await failure(launcher.next()))).toContain(
      'g5.2xlarge in us-west-2a: capacity (capacity); g5.2xlarge in us-west-2b: zone (zone)',
    )
  })

  test('launches no fourth machine in the life of a lease', async () => {
    const { launcher, world } = startLaunch({}, [offer('a')])
    for (let count = 0; count < launchBreaker; count++) await launcher.next()
    expect(String(await failure(launcher.next()))).toContain('has launched 3 machines')
    expect(world.machines).toHaveLength(launchBreaker)
  })

  test('stops waiting when the job is cancelled, with the open intent on record', async () => {
    const controller = new AbortController()
    const { launcher, saved, world } = startLaunch({ launch: ['throttled', 'throttled', 'throttled'] }, [offer('a')], {
      signal: controller.signal,
    })
    controller.abort(new Error('cancelled'))
    expect(String(await failure(launcher.next()))).toContain('cancelled')
    expect(world.calls).toHaveLength(0)
    expect(saved.attempts).toEqual([])
  })
})
