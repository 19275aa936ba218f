import { lookup } from 'node:dns/promises'
import { OutsideFault, UserFault, type Clock, type Log } from '@gpu-actions/action-kit/ports'
import { referenceDialect, type Dialect } from './dialect.ts'
import { networkWords } from './faults.ts'
import { checkHealth } from './health.ts'

/** The production host of the reference, which is also its documented default. */
export const productionHosts: readonly string[] = ['api.vaultscaler.com']

export interface BaseRules {
  /** Host names, without port. */
  readonly productionHosts: readonly string[]
  readonly onProduction: 'warn' | 'refuse'
  /** `iss` of the id token, when it is known: its region must be that of an execute-api address. */
  readonly issuer?: string
}

const loopback = (name: string): boolean =>
  name === 'localhost' || name === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(name)

const apiRegion = (name: string): string | undefined =>
  /\.execute-api(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$/.exec(name)?.[1]

const issuerRegion = (issuer: string): string | undefined =>
  /^https:\/\/cognito-idp\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?\//.exec(issuer)?.[1]

/**
 * Checks the address of the API without touching the network: its form, https, the guard of production hosts, and the
 * region of an execute-api address against that of the token's issuer.
 * @throws UserFault
 */
export function readBase(base: string, rules: BaseRules, log: Pick<Log, 'warning'>): URL {
  const url = URL.parse(base)
  if (url === null || !['https:', 'http:'].includes(url.protocol))
    throw new UserFault(`\`api-base\` is no address of an API: ${JSON.stringify(base.slice(0, 100))}`, [
      'api-base: give an address such as https://api.example.com',
    ])
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw new UserFault('`api-base` must be an address and a path only, without user, password, query or fragment')
  const name = url.hostname
  if (url.protocol === 'http:' && !loopback(name))
    throw new UserFault(
      `\`api-base\` must begin with https://: over http the id token for ${name} could be read on the way`,
    )
  if (rules.productionHosts.some(host => host.toLowerCase() === name)) {
    if (rules.onProduction === 'refuse')
      throw new UserFault(
        `\`api-base\` is ${name}, a production host, and \`on-production\` is refuse. Nothing was created. Give the address of another environment, or set \`on-production: warn\`.`,
      )
    log.warning(
      `The cluster API at ${name} is PRODUCTION: this run registers a cluster there and runs a job on it. Give \`api-base\` for another environment, or \`on-production: refuse\` to make this a failure.`,
    )
  }
  const [own, issuers] = [apiRegion(name), rules.issuer === undefined ? undefined : issuerRegion(rules.issuer)]
  if (own !== undefined && issuers !== undefined && own !== issuers)
    throw new UserFault(
      `\`api-base\` is in ${own}, and the id token is of a user pool in ${issuers}: such an API does not accept it. Give the address and the pool of the same environment.`,
    )
  return url
}

export interface ReachPorts {
  readonly clock: Clock
  readonly fetch?: typeof fetch
  readonly dialect?: Dialect
  /** Resolves a host name; rejects when it has no address. */
  readonly resolve?: (name: string) => Promise<unknown>
  readonly signal?: AbortSignal
  readonly requestMs?: number
}

/**
 * Whether the API is there: its name first, then its health.
 * @throws OutsideFault
 */
export async function reachBase(url: URL, ports: ReachPorts): Promise<void> {
  const { resolve = lookup, signal, dialect = referenceDialect } = ports
  // An address needs no name service.
  if (!/^\[|^[\d.]+$/.test(url.hostname))
    try {
      await resolve(url.hostname)
    } catch (cause) {
      signal?.throwIfAborted()
      throw new OutsideFault({
        what: `The name ${url.hostname} of the cluster API could not be resolved (${networkWords(cause)}). Nothing was created`,
        advice:
          'See whether `api-base` is of the right environment, and whether its DNS record exists; a private name resolves only inside its network.',
        cause,
      })
    }
  const none = { debug: () => {}, info: () => {}, warning: () => {} }
  await checkHealth(
    {
      base: url.href.replace(/\/+$/, ''),
      clock: ports.clock,
      log: none,
      dialect,
      fetch: ports.fetch ?? fetch,
      requestMs: ports.requestMs ?? 10_000,
    },
    signal === undefined ? {} : { signal },
  )
}
