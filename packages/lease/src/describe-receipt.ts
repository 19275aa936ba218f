import { formatDuration } from '@gpu-actions/action-kit/ports'
import { formatUsd } from './money.ts'
import type { Receipt } from './records.ts'

const money = (usd: number | null): string => (usd === null ? 'unknown (no price)' : formatUsd(usd))

/** What a receipt says, one sentence a line. */
export function receiptSentences(receipt: Receipt): readonly string[] {
  const lease = receipt.leaseId === null ? 'The leases' : `Lease ${receipt.leaseId}`
  const machines = receipt.machines.map(machine => {
    const cost = machine.billedSeconds === null ? '' : `, billed ${formatDuration(machine.billedSeconds * 1000)}`
    const price = machine.billedSeconds === null ? '' : `, cost ${money(machine.costUsd)}`
    const gone = machine.goneAt === null ? machine.state : 'gone'
    return `${machine.id} (${machine.instanceType}, ${machine.place.region}): ${gone}${cost}${price}`
  })
  const resources = receipt.resources.map(
    resource =>
      `${resource.kind} ${resource.name ?? resource.id} (${resource.place}): ${resource.problem ?? (resource.goneAt === null ? 'not seen gone' : 'gone')}`,
  )
  const total =
    receipt.remaining === 0
      ? `${lease}: 0 remaining${receipt.ending.length > 0 ? `, ${receipt.ending.length} still ending` : ''}`
      : `${lease}: ${receipt.remaining} REMAINING`
  return [
    ...machines,
    ...resources,
    ...receipt.left.map(left => `Left: ${left.kind} ${left.name ?? left.id} (${left.state}): ${left.byHand}`),
    total,
  ]
}

/** The receipt as Markdown, for a summary. */
export function receiptMarkdown(receipt: Receipt): string {
  const rows = receipt.machines.map(
    machine =>
      `| ${machine.id} | ${machine.instanceType} | ${machine.place.region} | ${machine.goneAt === null ? machine.state : `gone, seen ${machine.goneAt}`} | ${machine.billedSeconds ?? '–'} | ${money(machine.costUsd)} |`,
  )
  const resources = receipt.resources.map(
    resource =>
      `| ${resource.kind} | ${resource.name ?? resource.id} | ${resource.place} | ${resource.goneAt === null ? '**left**' : `gone, seen ${resource.goneAt}`} |`,
  )
  const left = receipt.left.map(
    thing =>
      `- **${thing.kind} ${thing.name ?? thing.id} is left** (${thing.state}): [console](${thing.consoleLink}), or \`${thing.byHand}\``,
  )
  return [
    `### Teardown of ${receipt.leaseId === null ? 'the run' : `lease ${receipt.leaseId}`}: ${receipt.remaining} remaining`,
    '',
    ...(rows.length > 0
      ? ['| machine | type | region | state | billed seconds | cost |', '|---|---|---|---|---:|---:|', ...rows, '']
      : ['No machine was found.', '']),
    ...(resources.length > 0 ? ['| resource | name | at | state |', '|---|---|---|---|', ...resources, ''] : []),
    ...left,
    '',
  ].join('\n')
}
