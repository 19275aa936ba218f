import { messageOf, type Log } from '@gpu-actions/action-kit'
import {
  deleteByHand,
  deleteParameter,
  faultOf,
  markedParameters,
  type AwsWorld,
  type MarkedParameter,
} from '@gpu-actions/aws'
import type { Place, Stray, SweepingProvider, TerminateRefusal } from '@gpu-actions/lease'

const kind = 'parameter'

const strayOf = ({ name, region, leaseId, expiresAt, changedAt }: MarkedParameter, place: Place): Stray => ({
  kind,
  id: name,
  place,
  state: 'stored',
  consoleLink: `https://${region}.console.aws.amazon.com/systems-manager/parameters/${encodeURIComponent(name)}/description?region=${region}`,
  byHand: deleteByHand(region, name),
  leaseId,
  expiresAt,
  createdAt: changedAt,
})

/**
 * The provider with the parameters that hold one-time tokens among its strays. They cost nothing: a role that may not look
 * for them sweeps everything else, and is told.
 */
export function withParameters(provider: SweepingProvider, world: AwsWorld, log: Log): SweepingProvider {
  const told = new Set<string>()
  const parametersIn = async (repository: string, place: Place): Promise<readonly Stray[]> => {
    try {
      const found = await markedParameters(world.clientsFor(place.region), repository)
      return found.map(parameter => strayOf(parameter, place))
    } catch (error) {
      if (faultOf(error) !== 'denied') throw error
      if (!told.has(place.region)) log.info(`Token parameters in ${place.region} are not swept: ${messageOf(error)}`)
      told.add(place.region)
      return []
    }
  }
  return {
    ...provider,
    strays: async (repository, places) => {
      const found = await Promise.all([
        provider.strays(repository, places),
        ...places.map(place => parametersIn(repository, place)),
      ])
      return found.flat()
    },
    endStrays: async strays => {
      const [parameters, others] = [strays.filter(one => one.kind === kind), strays.filter(one => one.kind !== kind)]
      const refusals = await Promise.all([provider.endStrays(others), ...parameters.map(one => remove(world, one))])
      return refusals.flat()
    },
  }
}

async function remove(world: AwsWorld, { id, place }: Stray): Promise<readonly TerminateRefusal[]> {
  if (place === null) return []
  try {
    await deleteParameter(world.clientsFor(place.region), id)
    return []
  } catch (error) {
    const fault = faultOf(error)
    return [{ id, fault: fault === 'dry-run' ? 'invalid' : fault, message: messageOf(error) }]
  }
}
