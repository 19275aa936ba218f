import { paginateDescribeParameters, ListTagsForResourceCommand } from '@aws-sdk/client-ssm'
import type { AwsClients } from '../clients.ts'
import { calling } from '../errors.ts'
import { tagNames } from '../ec2/tags.ts'
import { tokenPath } from './parameters.ts'

/** A parameter with the exact marks of a lease. Its value is never read. */
export interface MarkedParameter {
  readonly name: string
  readonly region: string
  readonly leaseId: string
  /** Milliseconds since the epoch; null when its mark says nothing. */
  readonly expiresAt: number | null
  /** Milliseconds since the epoch; null when the service does not tell. */
  readonly changedAt: number | null
}

/** The parameters below `tokenPath` that bear the marks of a lease of the repository. @throws OutsideFault */
export async function markedParameters(clients: AwsClients, repository: string): Promise<readonly MarkedParameter[]> {
  const { region } = clients
  const ssm = clients.ssm()
  const call = { doing: 'Looking for token parameters that are left', permission: 'ssm:DescribeParameters', region }
  const found = await calling(call, async () => {
    const named: { readonly name: string; readonly changedAt: number | null }[] = []
    const pages = paginateDescribeParameters(
      { client: ssm, pageSize: 50 },
      {
        ParameterFilters: [
          { Key: 'Name', Option: 'BeginsWith', Values: [tokenPath] },
          { Key: `tag:${tagNames.repository}`, Values: [repository] },
        ],
      },
    )
    for await (const page of pages) {
      for (const { Name, LastModifiedDate } of page.Parameters ?? []) {
        if (Name !== undefined) named.push({ name: Name, changedAt: LastModifiedDate?.getTime() ?? null })
      }
    }
    return named
  })
  const marked = await Promise.all(
    found.map(async ({ name, changedAt }): Promise<MarkedParameter[]> => {
      const asking = { doing: `Reading the tags of ${name}`, permission: 'ssm:ListTagsForResource', region }
      const reply = await calling(asking, () =>
        ssm.send(new ListTagsForResourceCommand({ ResourceType: 'Parameter', ResourceId: name })),
      )
      const tags = new Map((reply.TagList ?? []).map(({ Key, Value }) => [Key, Value]))
      const leaseId = tags.get(tagNames.lease)
      if (leaseId === undefined || tags.get(tagNames.repository) !== repository) return []
      const expiresAt = Date.parse(tags.get(tagNames.expiresAt) ?? '')
      return [{ name, region, leaseId, expiresAt: Number.isNaN(expiresAt) ? null : expiresAt, changedAt }]
    }),
  )
  return marked.flat()
}
