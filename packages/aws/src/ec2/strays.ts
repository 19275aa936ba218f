import {
  DeleteNetworkInterfaceCommand,
  DeleteVolumeCommand,
  paginateDescribeNetworkInterfaces,
  paginateDescribeSpotInstanceRequests,
  paginateDescribeVolumes,
  type EC2Client,
  type Tag,
} from '@aws-sdk/client-ec2'
import { messageOf } from '@gpu-actions/action-kit/ports'
import type { Left, Place, Stray, TerminateRefusal } from '@gpu-actions/lease'
import { calling, faultOf } from '../errors.ts'
import { filter } from './find.ts'
import { describeInterface, describeRequest, describeVolume } from './remains.ts'
import { tagNames } from './tags.ts'
import { cancelRequests } from './terminate.ts'

/** The marks of a lease of the repository; undefined without them: a loose match makes nothing ours. */
function marksOf(tags: readonly Tag[] | undefined, repository: string) {
  const values = new Map((tags ?? []).map(({ Key, Value }) => [Key, Value]))
  const leaseId = values.get(tagNames.lease)
  if (leaseId === undefined || leaseId === '' || values.get(tagNames.repository) !== repository) return undefined
  const expiresAt = Date.parse(values.get(tagNames.expiresAt) ?? '')
  return { leaseId, expiresAt: Number.isNaN(expiresAt) ? null : expiresAt }
}

/**
 * Volumes and interfaces of leases of the repository that no machine uses, and their open spot requests, on all pages.
 * @throws OutsideFault
 */
export async function straysIn(ec2: EC2Client, place: Place, repository: string): Promise<readonly Stray[]> {
  const { region } = place
  const marked = [filter(`tag:${tagNames.repository}`, repository), filter('tag-key', tagNames.lease)]
  const strays: Stray[] = []
  const add = (left: Left, tags: readonly Tag[] | undefined, createdAt: Date | undefined): void => {
    const marks = marksOf(tags, repository)
    if (marks !== undefined) strays.push({ ...left, ...marks, createdAt: createdAt?.getTime() ?? null })
  }
  const looking = (what: string, operation: string) => ({
    doing: `Looking for ${what} that are left`,
    permission: `ec2:${operation}`,
    region,
  })
  await Promise.all([
    calling(looking('volumes', 'DescribeVolumes'), async () => {
      const Filters = [...marked, filter('status', 'available')]
      for await (const page of paginateDescribeVolumes({ client: ec2, pageSize: 500 }, { Filters })) {
        for (const { VolumeId, State, Tags, CreateTime } of page.Volumes ?? []) {
          if (VolumeId !== undefined) add(describeVolume(VolumeId, place, State ?? 'unknown'), Tags, CreateTime)
        }
      }
    }),
    calling(looking('network interfaces', 'DescribeNetworkInterfaces'), async () => {
      const Filters = [...marked, filter('status', 'available')]
      for await (const page of paginateDescribeNetworkInterfaces({ client: ec2, pageSize: 500 }, { Filters })) {
        for (const { NetworkInterfaceId: id, Status, TagSet } of page.NetworkInterfaces ?? []) {
          if (id !== undefined) add(describeInterface(id, place, Status ?? 'unknown'), TagSet, undefined)
        }
      }
    }),
    calling(looking('spot requests', 'DescribeSpotInstanceRequests'), async () => {
      const Filters = [...marked, filter('state', 'open')]
      for await (const page of paginateDescribeSpotInstanceRequests({ client: ec2, pageSize: 500 }, { Filters })) {
        for (const { SpotInstanceRequestId: id, State, Tags, CreateTime } of page.SpotInstanceRequests ?? []) {
          if (id !== undefined) add(describeRequest(id, place, State ?? 'unknown'), Tags, CreateTime)
        }
      }
    }),
  ])
  return strays
}

/** Calls at a time; EC2 refills five mutating calls a second. */
const atOnce = 5

/**
 * Deletes volumes and interfaces one by one, and cancels requests together. What is gone already is a success.
 * @returns those that would not go
 */
export async function endStraysIn(
  ec2: EC2Client,
  place: Place,
  strays: readonly Stray[],
): Promise<readonly TerminateRefusal[]> {
  const refusals: TerminateRefusal[] = []
  const refuse = (id: string, error: unknown): void => {
    const fault = faultOf(error)
    if (fault === 'not-found') return
    const cause = error instanceof Error ? (error.cause ?? error) : error
    refusals.push({
      id,
      fault: fault === 'dry-run' ? 'invalid' : fault,
      message: `${messageOf(error)}: ${messageOf(cause)}`,
    })
  }
  const one = async ({ id, kind }: Stray): Promise<void> => {
    const isVolume = kind === 'volume'
    const call = {
      doing: `Deleting ${id}`,
      permission: isVolume ? 'ec2:DeleteVolume' : 'ec2:DeleteNetworkInterface',
      region: place.region,
    }
    try {
      await calling(call, async (): Promise<unknown> => {
        if (isVolume) return ec2.send(new DeleteVolumeCommand({ VolumeId: id }))
        return ec2.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId: id }))
      })
    } catch (error) {
      refuse(id, error)
    }
  }
  const queue = strays.filter(({ kind }) => kind === 'volume' || kind === 'interface')
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) await one(next)
    }),
  )
  const requests = strays.filter(({ kind }) => kind === 'request').map(({ id }) => id)
  try {
    await cancelRequests(ec2, place.region, requests)
  } catch (error) {
    for (const id of requests) refuse(id, error)
  }
  return refusals
}
