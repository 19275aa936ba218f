import * as v from 'valibot'
import { AwsError } from '../aws/errors.ts'
import type { Caller, Cloud } from '../cloud.ts'
import { read } from './input.ts'
import type { Parameter } from './model.ts'

const mostTags = 50

/** `Tags` of an input. */
export const tagList = v.pipe(
  v.array(
    v.object({
      Key: v.pipe(v.string(), v.minLength(1), v.maxLength(128)),
      Value: v.pipe(v.string(), v.maxLength(256)),
    }),
  ),
  v.maxLength(1000),
)

const resource = { ResourceType: v.string(), ResourceId: v.string() }

/** Tags by key; more than 50 on one parameter are refused. */
export function tagsOf(list: v.InferOutput<typeof tagList>, earlier: Parameter['tags'] = {}): Parameter['tags'] {
  const tags = { ...earlier, ...Object.fromEntries(list.map(({ Key, Value }) => [Key, Value])) }
  if (Object.keys(tags).length > mostTags)
    throw new AwsError('TooManyTagsError', 'The number of tags exceeds the limit of 50 tags per resource.')
  return tags
}

function tagged(cloud: Cloud, caller: Caller, type: string, id: string): Parameter {
  if (type !== 'Parameter')
    throw new AwsError('InvalidResourceType', `The offline cloud knows tags of parameters only, not of ${type}.`)
  const parameter = cloud.ssm.parameters.get(`${caller.region}/${id}`)
  if (parameter === undefined) throw new AwsError('InvalidResourceId', `The resource ID ${id} is not valid.`)
  return parameter
}

/** ListTagsForResource, for parameters. */
export function listTagsForResource(cloud: Cloud, caller: Caller, input: unknown): object {
  const { ResourceType, ResourceId } = read(v.object(resource), input)
  const { tags } = tagged(cloud, caller, ResourceType, ResourceId)
  return { TagList: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) }
}

/** AddTagsToResource, for parameters. */
export function addTagsToResource(cloud: Cloud, caller: Caller, input: unknown): object {
  const { ResourceType, ResourceId, Tags } = read(v.object({ ...resource, Tags: tagList }), input)
  const parameter = tagged(cloud, caller, ResourceType, ResourceId)
  parameter.tags = tagsOf(Tags, parameter.tags)
  return {}
}

/** RemoveTagsFromResource, for parameters. */
export function removeTagsFromResource(cloud: Cloud, caller: Caller, input: unknown): object {
  const { ResourceType, ResourceId, TagKeys } = read(v.object({ ...resource, TagKeys: v.array(v.string()) }), input)
  const parameter = tagged(cloud, caller, ResourceType, ResourceId)
  parameter.tags = Object.fromEntries(Object.entries(parameter.tags).filter(([key]) => !TagKeys.includes(key)))
  return {}
}
