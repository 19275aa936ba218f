import { images, regions } from '@gpu-actions/offline-cloud'
import { neverSeconds } from './plan-cloud.ts'

/** Machines of others that look like ours. None may ever be touched. */
const lookAlikes = (runId: number): readonly Readonly<Record<string, string>>[] => {
  const expired = { 'gpu-actions:expires-at': '2020-01-01T00:00:00.000Z', ManagedBy: 'github-actions' }
  const lease = `${runId}-1-0ddba11a`
  return [
    // Another repository's, long expired, of a run with the same number.
    { ...expired, 'gpu-actions:lease': lease, 'gpu-actions:repository': 'org/other', 'gpu-actions:run': `${runId}` },
    // A name alone.
    { Name: `gpu-actions ${lease}`, ManagedBy: 'github-actions' },
    // A repository whose name begins like ours.
    {
      ...expired,
      'gpu-actions:lease': lease,
      'gpu-actions:repository': 'org/consumer-fork',
      'gpu-actions:run': `${runId}`,
    },
    // A lease without a repository.
    { ...expired, 'gpu-actions:lease': lease, 'gpu-actions:run': `${runId}` },
    // Our repository without a lease.
    { ...expired, 'gpu-actions:repository': 'org/consumer', 'gpu-actions:run': `${runId}` },
    // Keys in another case are other keys.
    {
      'GPU-Actions:Lease': lease,
      'GPU-Actions:Repository': 'org/consumer',
      'GPU-Actions:Expires-At': '2020-01-01T00:00:00Z',
    },
  ]
}

/**
 * Launches foreign machines into a cloud, by the wire protocol alone. They never boot, so that they take no processes.
 * @param kinds indices of look-alikes
 * @returns their ids
 */
export async function placeBystanders(
  cloud: { readonly url: string; readonly addFaults: (faults: readonly BootNever[]) => void },
  kinds: readonly number[],
  runId: number,
): Promise<readonly string[]> {
  const ids: string[] = []
  for (const kind of kinds) {
    cloud.addFaults([{ kind: 'slow-boot', seconds: neverSeconds }])
    ids.push(await launch(cloud.url, lookAlikes(runId)[kind] ?? {}))
  }
  return ids
}

interface BootNever {
  readonly kind: 'slow-boot'
  readonly seconds: number
}

async function launch(url: string, tags: Readonly<Record<string, string>>): Promise<string> {
  const [region] = regions
  const image = images.find(each => each.region === region?.name)
  const tagFields = Object.entries(tags).flatMap(([key, value], index): [string, string][] => [
    [`TagSpecification.1.Tag.${index + 1}.Key`, key],
    [`TagSpecification.1.Tag.${index + 1}.Value`, value],
  ])
  const reply = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=AKIABYSTANDER0000000/20260101/${region?.name ?? ''}/ec2/aws4_request, SignedHeaders=host, Signature=00`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams([
      ['Action', 'RunInstances'],
      ['Version', '2016-11-15'],
      ['ImageId', image?.id ?? ''],
      ['InstanceType', 'g5.xlarge'],
      ['MinCount', '1'],
      ['MaxCount', '1'],
      ['TagSpecification.1.ResourceType', 'instance'],
      ...tagFields,
    ]),
  })
  const text = await reply.text()
  const id = /<instanceId>(i-[0-9a-f]+)<\/instanceId>/.exec(text)?.[1]
  if (id === undefined) throw new Error(`a bystander could not be placed: ${reply.status} ${text}`)
  return id
}
