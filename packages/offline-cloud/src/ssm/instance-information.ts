import * as v from 'valibot'
import { AwsError } from '../aws/errors.ts'
import type { Caller, Cloud } from '../cloud.ts'
import type { Instance } from '../ec2/model.ts'
import { epoch, pageOf, read } from './input.ts'

const agentVersion = '3.3.4793.0'

const inputSchema = v.object({
  Filters: v.optional(v.array(v.object({ Key: v.string(), Values: v.array(v.string()) })), []),
  InstanceInformationFilterList: v.optional(v.array(v.object({ key: v.string(), valueSet: v.array(v.string()) })), []),
  MaxResults: v.optional(v.pipe(v.number(), v.integer(), v.minValue(5), v.maxValue(50))),
  NextToken: v.optional(v.string()),
})

const fields: Readonly<Record<string, (instance: Instance) => readonly string[]>> = {
  InstanceIds: ({ id }) => [id],
  PingStatus: instance => [pingStatus(instance)],
  PlatformTypes: () => ['Linux'],
  ResourceType: () => ['EC2Instance'],
  AgentVersion: () => [agentVersion],
  'tag-key': ({ tags }) => Object.keys(tags),
}

const pingStatus = ({ ssm }: Instance): string => (ssm === 'online' ? 'Online' : 'ConnectionLost')

function valuesOf(instance: Instance, key: string): readonly string[] {
  if (key.startsWith('tag:')) {
    const value = instance.tags[key.slice('tag:'.length)]
    return value === undefined ? [] : [value]
  }
  const field = Object.hasOwn(fields, key) ? fields[key] : undefined
  if (field === undefined) throw new AwsError('InvalidFilterKey', `The filter key ${key} is not valid.`)
  return field(instance)
}

/** DescribeInstanceInformation: instances that have registered and have not been terminated. */
export function describeInstanceInformation(cloud: Cloud, caller: Caller, input: unknown): object {
  const { Filters, InstanceInformationFilterList, MaxResults, NextToken } = read(inputSchema, input)
  const filters = [
    ...Filters.map(({ Key, Values }) => ({ key: Key, values: Values })),
    ...InstanceInformationFilterList.map(({ key, valueSet }) => ({ key, values: valueSet })),
  ]
  const known = [...cloud.ec2.instances.values()].filter(
    ({ region, registeredAt, state }) =>
      region === caller.region && registeredAt !== null && state !== 'terminated' && state !== 'shutting-down',
  )
  const fitting = known.filter(instance =>
    filters.every(({ key, values }) => {
      const own = valuesOf(instance, key)
      return values.some(value => own.includes(value))
    }),
  )
  const { chosen, next } = pageOf(fitting, MaxResults ?? 50, NextToken)
  return { InstanceInformationList: chosen.map(instance => view(cloud, instance)), ...next }
}

const view = (cloud: Cloud, instance: Instance): object => ({
  InstanceId: instance.id,
  PingStatus: pingStatus(instance),
  LastPingDateTime: epoch(instance.ssm === 'online' ? cloud.clock.now() : (instance.registeredAt ?? 0)),
  AgentVersion: agentVersion,
  IsLatestVersion: true,
  PlatformType: 'Linux',
  PlatformName: 'Ubuntu',
  PlatformVersion: '24.04',
  ResourceType: 'EC2Instance',
  IPAddress: instance.privateIp,
  ComputerName: `ip-${instance.privateIp.replaceAll('.', '-')}.${instance.region}.compute.internal`,
  SourceId: instance.id,
  SourceType: 'AWS::EC2::Instance',
})
