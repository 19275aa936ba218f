import { Hono, type Context } from 'hono'
import type { Cloud } from '../cloud.ts'
import type { Instance } from '../ec2/model.ts'
import { requestOf } from '../ec2/spot-requests.ts'
import { secret } from '../ids.ts'
import { account } from '../world/account.ts'
import { metadataPath } from './path.ts'

const longestSeconds = 21_600
const ttlHeader = 'X-aws-ec2-metadata-token-ttl-seconds'

type Read = (instance: Instance, cloud: Cloud) => string | null

// Spot's times have whole seconds.
const stamp = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')

// Null as long as there is nothing to say, which is a 404.
const values: Readonly<Record<string, Read>> = {
  'meta-data/ami-id': ({ image }) => image.id,
  'meta-data/ami-launch-index': ({ launchIndex }) => String(launchIndex),
  'meta-data/events/recommendations/rebalance': () => null,
  'meta-data/instance-id': ({ id }) => id,
  'meta-data/instance-life-cycle': ({ lifecycle }) => lifecycle ?? 'on-demand',
  'meta-data/instance-type': ({ type }) => type.name,
  'meta-data/local-ipv4': ({ privateIp }) => privateIp,
  'meta-data/placement/availability-zone': ({ zone }) => zone.name,
  'meta-data/placement/availability-zone-id': ({ zone }) => zone.id,
  'meta-data/placement/region': ({ region }) => region,
  'meta-data/public-ipv4': ({ publicIp }) => publicIp,
  'meta-data/reservation-id': ({ reservation }) => reservation,
  'meta-data/spot/instance-action'(instance, cloud) {
    const time = noticeOf(instance, cloud)
    return time === null ? null : JSON.stringify({ action: actionOn(instance, cloud), time })
  },
  'meta-data/spot/termination-time': (instance, cloud) =>
    actionOn(instance, cloud) === 'terminate' ? noticeOf(instance, cloud) : null,
  'dynamic/instance-identity/document': instance => JSON.stringify(identityDocument(instance), null, 2),
}

const noticeOf = ({ interruption }: Instance, cloud: Cloud): string | null =>
  interruption === null || interruption.noticeAt > cloud.clock.now() ? null : stamp(interruption.endsAt)

const actionOn = (instance: Instance, cloud: Cloud): string => requestOf(cloud, instance)?.onInterruption ?? 'terminate'

const identityDocument = (instance: Instance): object => ({
  accountId: account,
  architecture: instance.type.architecture,
  availabilityZone: instance.zone.name,
  billingProducts: null,
  devpayProductCodes: null,
  imageId: instance.image.id,
  instanceId: instance.id,
  instanceType: instance.type.name,
  kernelId: null,
  marketplaceProductCodes: null,
  pendingTime: stamp(instance.launchTime),
  privateIp: instance.privateIp,
  ramdiskId: null,
  region: instance.region,
  version: '2017-09-30',
})

/** What is below a folder, as the service lists it; null for no folder. What has nothing to say is not listed. */
function listing(folder: string, instance: Instance, cloud: Cloud): string | null {
  const start = folder === '' ? '' : `${folder.replace(/\/$/, '')}/`
  const below = Object.entries(values)
    .filter(([name, read]) => name.startsWith(start) && read(instance, cloud) !== null)
    .map(([name]) => name.slice(start.length).replace(/\/.*$/, '/'))
  return below.length === 0 ? null : [...new Set(below)].join('\n')
}

interface Token {
  readonly instance: string
  readonly expiresAt: number
}

/**
 * The instance metadata service (IMDSv2) of every instance. Who asks is told from the path alone: on AWS each machine
 * sees only its own. An instance that is not there, or has ended, answers 404 like a wrong path.
 */
export function metadataRoutes(cloud: Cloud): Hono {
  const tokens = new Map<string, Token>()
  const app = new Hono()
  const found = (context: Context): Instance | null => {
    const instance = cloud.ec2.instances.get(context.req.param('instance') ?? '')
    return instance?.state === 'running' ? instance : null
  }
  const base = metadataPath(':instance')
  app.put(`${base}/latest/api/token`, context => {
    const instance = found(context)
    if (instance === null) return context.text('', 404)
    if (instance.metadata.httpEndpoint === 'disabled') return context.text('', 403)
    const seconds = Number(context.req.header(ttlHeader))
    if (!Number.isInteger(seconds) || seconds < 1 || seconds > longestSeconds) return context.text('', 400)
    const token = secret(40)
    tokens.set(token, { instance: instance.id, expiresAt: cloud.clock.now() + seconds * 1000 })
    context.header(ttlHeader, String(seconds))
    return context.text(token)
  })
  app.get(`${base}/latest/*`, context => {
    const instance = found(context)
    if (instance === null) return context.text('', 404)
    if (instance.metadata.httpEndpoint === 'disabled') return context.text('', 403)
    const given = context.req.header('X-aws-ec2-metadata-token')
    const token = given === undefined ? undefined : tokens.get(given)
    const isKnown = token !== undefined && token.instance === instance.id && token.expiresAt > cloud.clock.now()
    if (!isKnown && (given !== undefined || instance.metadata.httpTokens === 'required')) return context.text('', 401)
    const path = context.req.path.slice(`${metadataPath(instance.id)}/latest/`.length)
    const read = Object.hasOwn(values, path) ? values[path] : undefined
    const text = read === undefined ? listing(path, instance, cloud) : read(instance, cloud)
    return text === null ? context.text('', 404) : context.text(text)
  })
  return app
}
