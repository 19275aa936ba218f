import * as v from 'valibot'
import { AwsError } from '../aws/errors.ts'
import { pageFrom, readInput } from '../aws/json-input.ts'
import { products, productText, type Product } from './products.ts'

/** The Price List service has endpoints in these regions only, whichever region a price is asked for. */
export const pricingRegions: readonly string[] = ['us-east-1', 'eu-central-1', 'ap-south-1']

/** On AWS the name of such a host cannot be looked up; here every region shares one server, which says so. */
export const noPricingEndpoint = (region: string): AwsError =>
  new AwsError(
    'UnknownEndpoint',
    `api.pricing.${region}.amazonaws.com does not exist: the Price List service is in ${pricingRegions.join(', ')}.`,
    404,
  )

const inputSchema = v.object({
  ServiceCode: v.string(),
  Filters: v.optional(v.array(v.object({ Type: v.string(), Field: v.string(), Value: v.string() })), []),
  FormatVersion: v.optional(v.string(), 'aws_v1'),
  MaxResults: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100)), 100),
  NextToken: v.optional(v.string()),
})

function getProducts(input: unknown): object {
  const { ServiceCode, Filters, FormatVersion, MaxResults, NextToken } = readInput(
    inputSchema,
    input,
    'InvalidParameterException',
  )
  if (FormatVersion !== 'aws_v1') throw new AwsError('InvalidParameterException', 'Invalid format version')
  for (const { Type } of Filters) {
    if (Type !== 'TERM_MATCH')
      throw new AwsError('InvalidParameterException', `The offline cloud does not cover filters of the type ${Type}.`)
  }
  const listed = products.filter(({ service }) => service === ServiceCode)
  if (listed.length === 0) throw new AwsError('NotFoundException', `Service ${ServiceCode} is not found.`)
  // A field that no product has matches nothing.
  const fitting = listed.filter(product => Filters.every(({ Field, Value }) => fieldOf(product, Field) === Value))
  const { chosen, next } = pageFrom(fitting, MaxResults, NextToken, 'InvalidNextTokenException')
  return { FormatVersion, PriceList: chosen.map(productText), ...next }
}

const fieldOf = (product: Product, name: string): string | undefined =>
  name === 'productFamily'
    ? product.family
    : Object.hasOwn(product.attributes, name)
      ? product.attributes[name]
      : undefined

/** Carries out an operation of the Price List service. One that is not covered is refused by name. */
export function callPricing(name: string, input: unknown): object {
  if (name !== 'GetProducts')
    throw new AwsError('InvalidAction', `The offline cloud does not cover ${name} of the Price List service.`)
  return getProducts(input)
}
