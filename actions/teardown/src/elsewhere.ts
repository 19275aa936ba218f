import { UserFault, type Log } from '@gpu-actions/action-kit'
import { regionsOf, type Ec2Access } from '@gpu-actions/aws'
import type { EndingProvider, Machine, Search } from '@gpu-actions/lease'

interface Asking {
  readonly log: Pick<Log, 'info' | 'warning'>
  readonly provider: Pick<EndingProvider, 'find'>
  readonly access: Ec2Access
  /** For sentences: `lease 1-1-0a1b2c3d`. */
  readonly called: string
  /** The regions in which nothing was found; the first is asked for all of them. */
  readonly asked: readonly [string, ...string[]]
}

/**
 * Something that was asked for by its id, that no record of this job knows and that is not where it was looked for, may
 * live in another region: each that the account has is asked, as far as the role may.
 * @throws UserFault for an id that is there and is not ours
 */
export async function findElsewhere(asking: Asking, search: Search): Promise<readonly Machine[]> {
  const { log, provider, access, called, asked } = asking
  const account = await access.account()
  const regions = await regionsOf(access.clientsFor(asked[0])).catch(() => [])
  const others = regions.filter(region => !asked.includes(region))
  const found = await Promise.all(
    others.map(async region => {
      try {
        return { region, machines: await provider.find(search, [{ account, region }]) }
      } catch (error) {
        if (error instanceof UserFault) throw error
        return { region, machines: undefined }
      }
    }),
  )
  const machines = found.flatMap(({ machines: some = [] }) => some)
  if (machines.length > 0) {
    const where = [...new Set(machines.map(({ place }) => place.region))].join(', ')
    log.warning(`No machine of ${called} is in ${asked.join(', ')}; it was found in ${where}: name that in aws-region.`)
    return machines
  }
  const seen = found.flatMap(({ region, machines: some }) => (some === undefined ? [] : [region]))
  log.warning(
    `No machine of ${called} was found in ${[...asked, ...seen].join(', ')}. One that has ended is shown for about an hour; if it was launched in another region, name that in aws-region.`,
  )
  return []
}
