import { AwsError, invalidValue } from '../aws/errors.ts'
import { list, text, type QueryNode } from '../aws/query.ts'
import type { Tags } from './model.ts'

const most = 50

/** Reads `Tag.N` and holds it to EC2's rules. */
export function readTags(node: QueryNode): Tags {
  const tags: Record<string, string> = {}
  for (const tag of list(node, 'Tag')) {
    const key = text(tag, 'Key') ?? ''
    const value = text(tag, 'Value') ?? ''
    if (key === '') throw invalidValue('Tag keys cannot be empty')
    if (key.length > 127) throw invalidValue(`Tag key exceeds the maximum length of 127 characters: '${key}'`)
    if (value.length > 255) throw invalidValue(`Tag value exceeds the maximum length of 255 characters: '${value}'`)
    if (/^aws:/i.test(key)) throw invalidValue(`Tag keys starting with 'aws:' are reserved for internal use`)
    if (Object.hasOwn(tags, key)) throw invalidValue(`Duplicate tag key '${key}' specified.`)
    tags[key] = value
  }
  checkCount(tags)
  return tags
}

/** At most 50 tags a resource. */
export function checkCount(tags: Tags): void {
  if (Object.keys(tags).length > most)
    throw new AwsError('TagLimitExceeded', 'More than 50 tags have been specified for the resource.')
}

/** The kinds of resource that a launch can tag. */
export const launchTagged = ['instance', 'volume', 'network-interface', 'spot-instances-request'] as const
export type LaunchTags = Readonly<Record<(typeof launchTagged)[number], Tags>>

/** Of a launch that tags nothing. */
export const noTags: LaunchTags = { instance: {}, volume: {}, 'network-interface': {}, 'spot-instances-request': {} }

/** Reads `TagSpecification.N` of a launch, which may tag a spot request only if it makes one. */
export function readTagSpecifications(node: QueryNode, isSpot: boolean): LaunchTags {
  const read: Record<(typeof launchTagged)[number], Tags> = { ...noTags }
  const seen = new Set<string>()
  for (const specification of list(node, 'TagSpecification')) {
    const type = text(specification, 'ResourceType') ?? ''
    const known = launchTagged.find(name => name === type)
    if (known === undefined) throw invalidValue(`'${type}' is not a valid taggable resource type for this operation.`)
    if (seen.has(type)) throw invalidValue(`The same resource type may not be specified more than once: ${type}`)
    if (known === 'spot-instances-request' && !isSpot)
      throw new AwsError(
        'InvalidParameterCombination',
        'You cannot specify tags for Spot instances requests if there is no Spot instances request being created by ' +
          'the request.',
      )
    seen.add(type)
    read[known] = readTags(specification)
  }
  return read
}
