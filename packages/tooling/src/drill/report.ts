import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Broken, Campaign, Progress } from './campaign.ts'
import type { Drill } from './model.ts'
import type { Drilled } from './run-drill.ts'
import { rowsOf, tableOf } from './table.ts'

export const isDrilled = (one: Drilled | Broken): one is Drilled => 'verdict' in one

export const problemsOf = (one: Drilled | Broken): readonly string[] =>
  isDrilled(one) ? one.verdict.problems : [`the drill broke: ${one.error}`]

/** The command that does one drill again. */
export const againCommand = ({ seed, index }: Drill): string => `npm run drill -- --seed ${seed} --only-index ${index}`

const title = ({ index, workflow, strike }: Drill): string =>
  `#${index} ${strike.death} (${strike.moment}), ${workflow.layout}, clean-up: ${workflow.cleanup}`

/** What to print when one drill is over: a line, and all of its log when it failed. */
export function progressLines({ done, of, last }: Progress): readonly string[] {
  const problems = problemsOf(last)
  if (problems.length === 0) {
    const seconds = isDrilled(last) ? `${last.seconds.toFixed(0)} s` : ''
    return [`${String(done).padStart(String(of).length)}/${of} ok ${title(last.drill)}, ${seconds}`]
  }
  return [
    `${done}/${of} FAILED ${title(last.drill)}`,
    ...(isDrilled(last) ? last.log.map(line => `    │ ${line}`) : []),
    ...problems.map(problem => `    ${problem}`),
    `    again: ${againCommand(last.drill)}`,
  ]
}

export async function keepLog(folder: string, one: Drilled | Broken): Promise<void> {
  await mkdir(folder, { recursive: true })
  const lines = isDrilled(one) ? one.log : [one.error]
  await writeFile(path.join(folder, `drill-${one.drill.seed}-${one.drill.index}.log`), `${lines.join('\n')}\n`)
}

/** The table, and what failed once more, so that it is found at the end of a long log. */
export function closingLines(
  campaign: Campaign,
  ended: readonly (Drilled | Broken)[],
  seconds: number,
): readonly string[] {
  const failed = ended.filter(one => problemsOf(one).length > 0).toSorted((a, b) => a.drill.index - b.drill.index)
  return [
    '',
    tableOf(rowsOf(ended.filter(isDrilled))),
    '',
    ...failed.flatMap(one => [
      `FAILED ${title(one.drill)}`,
      ...problemsOf(one).map(problem => `  ${problem}`),
      `  again: ${againCommand(one.drill)}`,
    ]),
    `seed ${campaign.seed}: ${ended.length} drills in ${seconds.toFixed(0)} s, ${failed.length} failed`,
  ]
}
