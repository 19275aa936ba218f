import { AwsError, invalidValue } from '../aws/errors.ts'
import { text, type QueryNode } from '../aws/query.ts'

/** How a spot instance was asked for. `maxPrice` in USD an hour, null for the on-demand price. */
export interface SpotOptions {
  readonly type: 'one-time' | 'persistent'
  readonly onInterruption: 'terminate' | 'stop' | 'hibernate'
  readonly maxPrice: number | null
}

/** The market of a launch, and the id of the reservation it is to use. */
export type MarketChoice =
  | { readonly market: 'on-demand'; readonly spot: null; readonly reservation: string | null }
  | { readonly market: 'spot'; readonly spot: SpotOptions; readonly reservation: null }
  | { readonly market: 'capacity-block'; readonly spot: null; readonly reservation: string }

const combination = (message: string): AwsError => new AwsError('InvalidParameterCombination', message)

const uncovered = (what: string): AwsError =>
  new AwsError('UnsupportedOperation', `The offline cloud does not cover ${what} of RunInstances.`)

/** Reads InstanceMarketOptions and CapacityReservationSpecification of a launch. */
export function readMarket(node: QueryNode): MarketChoice {
  const market = text(node, 'InstanceMarketOptions.MarketType') ?? 'on-demand'
  const reservation = readReservation(node)
  if (market === 'on-demand') return { market, spot: null, reservation }
  if (market === 'capacity-block') {
    if (reservation === null)
      throw combination(
        'The market type capacity-block needs the ID of a Capacity Block as capacity reservation target.',
      )
    return { market, spot: null, reservation }
  }
  if (market !== 'spot') {
    if (market === 'interruptible-capacity-reservation') throw uncovered(`the market type ${market}`)
    throw invalidValue(`Value (${market}) for parameter MarketType is invalid.`)
  }
  if (reservation !== null)
    throw combination('A capacity reservation target may not be specified for a Spot Instance request.')
  return { market, spot: readSpotOptions(node), reservation: null }
}

function readReservation(node: QueryNode): string | null {
  const at = 'CapacityReservationSpecification'
  const preference = text(node, `${at}.CapacityReservationPreference`)
  const id = text(node, `${at}.CapacityReservationTarget.CapacityReservationId`)
  if (text(node, `${at}.CapacityReservationTarget.CapacityReservationResourceGroupArn`) !== undefined)
    throw uncovered('a resource group of capacity reservations')
  if (preference === 'capacity-reservations-only') throw uncovered(`the preference ${preference}`)
  if (preference !== undefined && preference !== 'open' && preference !== 'none')
    throw invalidValue(`Value (${preference}) for parameter CapacityReservationPreference is invalid.`)
  if (preference !== undefined && id !== undefined)
    throw combination('A capacity reservation preference and a target may not be specified on the same request.')
  return id ?? null
}

function readSpotOptions(node: QueryNode): SpotOptions {
  const option = (name: string): string | undefined => text(node, `InstanceMarketOptions.SpotOptions.${name}`)
  const type = option('SpotInstanceType') ?? 'one-time'
  const onInterruption = option('InstanceInterruptionBehavior') ?? 'terminate'
  if (type !== 'one-time' && type !== 'persistent')
    throw invalidValue(`Value (${type}) for parameter SpotInstanceType is invalid.`)
  if (onInterruption !== 'terminate' && onInterruption !== 'stop' && onInterruption !== 'hibernate')
    throw invalidValue(`Value (${onInterruption}) for parameter InstanceInterruptionBehavior is invalid.`)
  if (type === 'persistent' && onInterruption === 'terminate')
    throw combination(
      'RunInstances takes persistent Spot requests with the interruption behavior stop or hibernate only.',
    )
  if (type === 'one-time' && onInterruption !== 'terminate')
    throw combination(`The interruption behavior ${onInterruption} needs a persistent Spot request.`)
  if (option('ValidUntil') !== undefined && type === 'one-time')
    throw combination('ValidUntil is for persistent Spot requests only.')
  if (option('BlockDurationMinutes') !== undefined) throw uncovered('BlockDurationMinutes')
  return { type, onInterruption, maxPrice: readMaxPrice(option('MaxPrice')) }
}

function readMaxPrice(given: string | undefined): number | null {
  if (given === undefined || given === '') return null
  const price = Number(given)
  if (!/^\d*\.?\d+$/.test(given)) throw invalidValue(`Invalid bid price: ${given}`)
  if (price < 0.001) throw invalidValue(`Invalid bid price: ${given}. Bid price must be greater than or equal to 0.001`)
  return price
}
