import type { EC2Client, Filter } from '@aws-sdk/client-ec2'
import { UserFault } from '@gpu-actions/action-kit/ports'
import type { Machine, Place, Search } from '@gpu-actions/lease'
import { describeMachines } from './machines.ts'
import { tagNames } from './tags.ts'

/** Values of one filter in a call. EC2 takes 200 in all the filters of a call, and ours have few others. */
const perCall = 190

/** Values in parts that a filter takes. */
export const inParts = <T>(values: readonly T[], size: number = perCall): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(values.length / size) }, (_, index) => values.slice(index * size, (index + 1) * size))

export const filter = (name: string, ...values: string[]): Filter => ({ Name: name, Values: values })

function queries(search: Search): readonly (readonly Filter[])[] {
  if (search.by === 'run') {
    return [[filter(`tag:${tagNames.repository}`, search.repository), filter(`tag:${tagNames.run}`, search.runId)]]
  }
  if (search.by === 'repository') {
    return [[filter(`tag:${tagNames.repository}`, search.repository)]]
  }
  if (search.by === 'id') return inParts(search.ids).map(ids => [filter('instance-id', ...ids)])
  return [
    [filter(`tag:${tagNames.lease}`, search.leaseId)],
    ...inParts(search.tokens).map(tokens => [filter('client-token', ...tokens)]),
  ]
}

/** Exact marks of the lease and of the repository; a loose match never makes a machine ours. */
function isOurs(machine: Machine, search: Search): boolean {
  if (machine.repository !== search.repository || machine.leaseId === null) return false
  return search.by !== 'lease' || machine.leaseId === search.leaseId
}

/**
 * The machines of a search in one place, each once.
 * @throws UserFault for an id that is there and is not ours, OutsideFault
 */
export async function findMachines(ec2: EC2Client, search: Search, place: Place): Promise<readonly Machine[]> {
  const pages = await Promise.all(queries(search).map(filters => describeMachines(ec2, place, [...filters])))
  const machines = new Map(pages.flat().map(machine => [machine.id, machine]))
  const foreign = [...machines.values()].filter(machine => !isOurs(machine, search))
  if (search.by === 'id' && foreign.length > 0) {
    throw new UserFault(
      `Nothing was ended: gpu-actions did not launch ${foreign.map(machine => machine.id).join(', ')} for ${search.repository}`,
      [`its tags ${tagNames.lease} and ${tagNames.repository} would say so`],
    )
  }
  return [...machines.values()].filter(machine => isOurs(machine, search))
}
