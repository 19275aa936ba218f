import { GetProductsCommand, PricingClient, paginateGetProducts } from '@aws-sdk/client-pricing'
import { afterAll, describe, expect, test } from '@jest/globals'
import { instanceTypes, onDemandPrice, type Fault } from '../src/index.ts'
import { refusal, startRig, stopRigs, type Rig } from './cloud-fixture.ts'

afterAll(stopRigs)

interface Item {
  readonly product: {
    readonly productFamily: string
    readonly attributes: Record<string, string>
    readonly sku: string
  }
  readonly terms: {
    readonly OnDemand: Record<
      string,
      {
        readonly priceDimensions: Record<
          string,
          { readonly unit: string; readonly pricePerUnit: { readonly USD: string } }
        >
      }
    >
  }
}

const clientOf = (rig: Rig, region = 'us-east-1') =>
  new PricingClient({
    endpoint: rig.cloud.url,
    region,
    maxAttempts: 1,
    credentials: {
      accessKeyId: rig.cloud.env['AWS_ACCESS_KEY_ID'] ?? '',
      secretAccessKey: rig.cloud.env['AWS_SECRET_ACCESS_KEY'] ?? '',
    },
  })

const query = (fields: Readonly<Record<string, string>>, ServiceCode = 'AmazonEC2') => ({
  ServiceCode,
  Filters: Object.entries(fields).map(([Field, Value]) => ({ Type: 'TERM_MATCH' as const, Field, Value })),
})

// The items are JSON in strings, whatever the SDK's types call them.
const read = (list: unknown): readonly Item[] =>
  (Array.isArray(list) ? list : []).map((text: unknown) => JSON.parse(String(text)) as Item)

async function items(client: PricingClient, fields: Readonly<Record<string, string>>, service?: string) {
  const { PriceList } = await client.send(new GetProductsCommand(query(fields, service)))
  return read(PriceList)
}

const prices = ({ terms }: Item): readonly [string, number][] =>
  Object.values(terms.OnDemand).flatMap(({ priceDimensions }) =>
    Object.values(priceDimensions).map(({ unit, pricePerUnit }): [string, number] => [unit, Number(pricePerUnit.USD)]),
  )

const linux = {
  operatingSystem: 'Linux',
  tenancy: 'Shared',
  preInstalledSw: 'NA',
  capacitystatus: 'Used',
  licenseModel: 'No License required',
}

describe('the price list', () => {
  test('has one price for each type that a region offers, once everything is filtered', async () => {
    const rig = await startRig()
    const client = clientOf(rig)
    for (const { name } of instanceTypes.filter(({ inBlocks }) => !inBlocks)) {
      const found = await items(client, { instanceType: name, regionCode: 'us-west-2', ...linux })
      expect(found.flatMap(prices)).toEqual([['Hrs', onDemandPrice('us-west-2', name)]])
    }
  })

  test('has an entry for nothing beside the price of a type that is sold in blocks', async () => {
    const rig = await startRig()
    const found = await items(clientOf(rig), { instanceType: 'p5.48xlarge', regionCode: 'us-west-2', ...linux })
    expect(found.map(item => [item.product.attributes['marketoption'], prices(item)[0]?.[1]])).toEqual([
      ['CapacityBlock', 0],
      ['OnDemand', onDemandPrice('us-west-2', 'p5.48xlarge')],
    ])
  })

  test('has many SKUs for a type where less is filtered, of several prices', async () => {
    const rig = await startRig()
    const found = await items(clientOf(rig), { instanceType: 'g5.2xlarge', regionCode: 'us-west-2' })
    expect(new Set(found.map(({ product }) => product.sku)).size).toBe(found.length)
    const distinct = new Set(found.flatMap(prices).map(([, usd]) => usd))
    expect(distinct.has(0)).toBe(true)
    expect(distinct.size).toBeGreaterThan(4)
  })

  test('has storage by the GB and month, and addresses by the hour', async () => {
    const rig = await startRig()
    const client = clientOf(rig, 'eu-central-1')
    const volume = (volumeApiName: string) =>
      items(client, { productFamily: 'Storage', volumeApiName, regionCode: 'us-west-2' })
    const [gp3, gp2] = [await volume('gp3'), await volume('gp2')].map(found => found.flatMap(prices))
    expect(gp3).toEqual([['GB-Mo', expect.any(Number)]])
    expect(gp2?.[0]?.[1]).toBeGreaterThan(gp3?.[0]?.[1] ?? Number.POSITIVE_INFINITY)
    const address = await items(
      client,
      {
        group: 'VPCPublicIPv4Address',
        regionCode: 'us-west-2',
        groupDescription: 'Hourly charge for In-use Public IPv4 Addresses',
      },
      'AmazonVPC',
    )
    expect(address.flatMap(prices)).toEqual([['Hrs', expect.any(Number)]])
  })

  test('comes in pages, and each product once', async () => {
    const rig = await startRig()
    const skus: string[] = []
    const pages = paginateGetProducts({ client: clientOf(rig), pageSize: 50 }, query({ regionCode: 'eu-central-1' }))
    for await (const { PriceList } of pages) skus.push(...read(PriceList).map(({ product }) => product.sku))
    expect(skus.length).toBeGreaterThan(100)
    expect(new Set(skus).size).toBe(skus.length)
  })

  test('is empty for what is not sold, and refuses a service that is not', async () => {
    const rig = await startRig()
    const client = clientOf(rig)
    expect(await items(client, { instanceType: 'p5.48xlarge', regionCode: 'eu-central-1' })).toEqual([])
    expect(await items(client, { nonsense: 'x' })).toEqual([])
    expect(await refusal(items(client, {}, 'AmazonNothing'))).toBe('NotFoundException')
  })

  test('is served in three regions only', async () => {
    const rig = await startRig()
    const ask = (region: string) => refusal(items(clientOf(rig, region), { instanceType: 'g5.2xlarge' }))
    expect([await ask('us-east-1'), await ask('eu-central-1'), await ask('ap-south-1')]).toEqual([
      'none',
      'none',
      'none',
    ])
    expect(await ask('us-west-2')).toBe('UnknownEndpoint')
  })

  test('speaks its own words where a fault forbids it', async () => {
    const rig = await startRig()
    const kinds = ['denied', 'throttled', 'server-error'] as const
    rig.cloud.addFaults(kinds.map((kind): Fault => ({ kind, operation: 'pricing:GetProducts' })))
    const ask = () => refusal(items(clientOf(rig), { instanceType: 'g5.2xlarge' }))
    expect([await ask(), await ask(), await ask(), await ask()]).toEqual([
      'AccessDeniedException',
      'ThrottlingException',
      'InternalErrorException',
      'none',
    ])
  })
})
