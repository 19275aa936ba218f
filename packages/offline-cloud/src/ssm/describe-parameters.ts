import * as v from 'valibot'
import { AwsError } from '../aws/errors.ts'
import type { Caller, Cloud } from '../cloud.ts'
import { account, userName } from '../world/account.ts'
import { epoch, pageOf, read } from './input.ts'
import { parameterArn, type Parameter } from './model.ts'

const filterInput = v.object({
  Key: v.pipe(v.string(), v.minLength(1), v.maxLength(132)),
  Option: v.optional(v.string()),
  Values: v.optional(v.pipe(v.array(v.string()), v.maxLength(50)), []),
})

const describeInput = v.object({
  ParameterFilters: v.optional(v.array(filterInput), []),
  MaxResults: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(50))),
  NextToken: v.optional(v.string()),
})

type Filter = v.InferOutput<typeof filterInput>

const tests: Readonly<Record<string, (own: string, wanted: string) => boolean>> = {
  Equals: (own, wanted) => own === wanted,
  BeginsWith: (own, wanted) => own.startsWith(wanted),
  Contains: (own, wanted) => own.includes(wanted),
}

const fields: Readonly<Record<string, (parameter: Parameter) => string>> = {
  Name: ({ name }) => name,
  Type: ({ type }) => type,
  DataType: () => 'text',
}

/** Refuses keys and options that the service does not know, also where there is no parameter at all. */
function checked({ Key, Option, Values }: Filter): (parameter: Parameter) => boolean {
  const test = tests[Option ?? 'Equals']
  if (test === undefined || (Option === 'Contains' && Key !== 'Name'))
    throw new AwsError('InvalidFilterOption', `The following filter option is not valid: ${Option}.`)
  if (Key.startsWith('tag:')) {
    const key = Key.slice('tag:'.length)
    return ({ tags }) =>
      Object.hasOwn(tags, key) && (Values.length === 0 || Values.some(wanted => test(tags[key] ?? '', wanted)))
  }
  const field = Object.hasOwn(fields, Key) ? fields[Key] : undefined
  if (field === undefined)
    throw new AwsError(
      'InvalidFilterKey',
      `The following filter key is not valid: ${Key}. (The offline cloud covers Name, Type, DataType and tag:KEY.)`,
    )
  return parameter => Values.some(wanted => test(field(parameter), wanted))
}

/** DescribeParameters: what is known of the account's parameters but for their values. */
export function describeParameters(cloud: Cloud, caller: Caller, input: unknown): object {
  const { ParameterFilters, MaxResults, NextToken } = read(describeInput, input)
  const passes = ParameterFilters.map(checked)
  const fitting = [...cloud.ssm.parameters.values()].filter(
    parameter => parameter.region === caller.region && passes.every(fits => fits(parameter)),
  )
  const { chosen, next } = pageOf(fitting, MaxResults ?? 50, NextToken)
  return { Parameters: chosen.map(view), ...next }
}

const view = (parameter: Parameter): object => ({
  Name: parameter.name,
  ARN: parameterArn(parameter),
  Type: parameter.type,
  ...(parameter.type === 'SecureString' ? { KeyId: 'alias/aws/ssm' } : {}),
  LastModifiedDate: epoch(parameter.modified),
  LastModifiedUser: `arn:aws:iam::${account}:user/${userName}`,
  Version: parameter.version,
  Tier: 'Standard',
  Policies: [],
  DataType: 'text',
})
