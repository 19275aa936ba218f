import { formatDuration } from '@gpu-actions/action-kit/ports'
import { formatUsd } from './money.ts'
import type { EndedMachine, Left, Receipt } from './records.ts'

const money = (usd: number | null): string => (usd === null ? 'unknown' : formatUsd(usd))

const seconds = (value: number): string => formatDuration(value * 1000)

/** `$1.212/h (AWS price list, 2026-11-22)`, and what was billed beside the machine. */
function priceOf({ price, extras }: EndedMachine): string {
  const own = price === null ? 'price unknown' : `${formatUsd(price.usdPerHour)}/h (${price.source}, ${price.date})`
  if (extras === null) return `${own}, storage and address not counted`
  const beside = extras.map(
    extra => ` + ${extra.what} ${formatUsd(extra.usdPerHour)}/h (${extra.source}, ${extra.date})`,
  )
  return `${own}${beside.join('')}`
}

/** What it cost and why; empty while its end is not known. */
function costOf(machine: EndedMachine): string {
  if (machine.billedSeconds === null) return ''
  const free = machine.freeOfCharge === null ? '' : `, ${machine.freeOfCharge}`
  const why = machine.costUsd === null ? ` (${machine.noCost ?? 'no price'})` : ` at ${priceOf(machine)}`
  return `, billed ${seconds(machine.billedSeconds)}, cost ${money(machine.costUsd)}${why}${free}`
}

function wasteOf({ wasteSeconds, idleSeconds }: EndedMachine): string {
  const parts = [
    ...(wasteSeconds === null ? [] : [`${seconds(wasteSeconds)} before its first use`]),
    ...(idleSeconds === null ? [] : [`${seconds(idleSeconds)} after its last`]),
  ]
  return parts.length === 0 ? '' : `, unused ${parts.join(' and ')}`
}

/** What a receipt says, one sentence a line. */
export function receiptSentences(receipt: Receipt): readonly string[] {
  const lease = receipt.leaseId === null ? 'The leases' : `Lease ${receipt.leaseId}`
  const machines = receipt.machines.map(machine => {
    const gone = machine.goneAt === null ? machine.state : 'gone'
    return `${machine.id} (${machine.instanceType}, ${machine.place.region}): ${gone}${costOf(machine)}${wasteOf(machine)}`
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
    ...receipt.left.map(
      left =>
        `Left: ${left.kind} ${left.name ?? left.id} (${left.state})${left.byHand === '' ? '' : `: ${left.byHand}`}`,
    ),
    total,
  ]
}

/** Text of a service, for a cell of a table. */
const cell = (text: string): string => text.replace(/[\r\n]+/g, ' ').replaceAll('|', '\\|')

/** What a failure says of one thing that is left, a line: `- machine i-1 in us-west-2 (running): https://…` */
export const leftLine = ({ kind, id, name, place, state, consoleLink }: Left): string =>
  `- ${kind} ${name ?? id}${place === null ? '' : ` in ${place.region}`} (${state})${consoleLink === '' ? '' : `: ${consoleLink}`}`

/** Of places and records nobody knows what they hide: what is to be done there is a sentence, no command. */
const unproven: ReadonlySet<string> = new Set(['place', 'record'])

/** What a person does about what is left. */
export function leftAdvice(left: readonly Left[]): string {
  const said = left.filter(({ byHand }) => byHand !== '')
  const commands = said.filter(({ kind }) => !unproven.has(kind)).map(({ byHand }) => byHand)
  return [
    ...(commands.length > 0 ? [`End it by hand: ${commands.join(' ; ')}`] : []),
    ...said.filter(({ kind }) => unproven.has(kind)).map(({ byHand }) => `To be sure: ${byHand}`),
  ].join('\n')
}

/** The receipt as Markdown, for a summary. */
export function receiptMarkdown(receipt: Receipt): string {
  const rows = receipt.machines.map(machine => {
    const state = machine.goneAt === null ? machine.state : `gone, seen ${machine.goneAt}`
    const cost = machine.billedSeconds === null ? 'unknown' : money(machine.costUsd)
    const why = machine.freeOfCharge ?? (machine.billedSeconds === null ? null : (machine.noCost ?? null))
    return `| ${machine.id} | ${machine.instanceType} | ${machine.place.region} | ${state} | ${machine.billedSeconds ?? '–'} | ${machine.wasteSeconds ?? '–'} | ${machine.idleSeconds ?? '–'} | ${cell(priceOf(machine))} | ${cost}${why === null ? '' : ` (${cell(why)})`} |`
  })
  const resources = receipt.resources.map(
    resource =>
      `| ${resource.kind} | ${resource.name ?? resource.id} | ${resource.place} | ${resource.goneAt === null ? '**left**' : `gone, seen ${resource.goneAt}`} |`,
  )
  const left = receipt.left.map(thing => {
    const link = thing.consoleLink === '' ? '' : `: [console](${thing.consoleLink})`
    const byHand = thing.byHand === '' ? '' : `${link === '' ? ':' : ', or'} \`${thing.byHand}\``
    return `- **${thing.kind} ${thing.name ?? thing.id} is left** (${thing.state})${link}${byHand}`
  })
  return [
    `### Teardown of ${receipt.leaseId === null ? 'the run' : `lease ${receipt.leaseId}`}: ${receipt.remaining} remaining`,
    '',
    ...(rows.length > 0
      ? [
          '| machine | type | region | state | billed seconds | unused before | unused after | price | cost |',
          '|---|---|---|---|---:|---:|---:|---|---:|',
          ...rows,
          '',
        ]
      : ['No machine was found.', '']),
    ...(resources.length > 0 ? ['| resource | name | at | state |', '|---|---|---|---|', ...resources, ''] : []),
    ...left,
    '',
  ].join('\n')
}
