import { runCampaign, type Campaign } from './campaign.ts'
import { closingLines, keepLog, problemsOf, progressLines } from './report.ts'
import type { Equipment } from './run-drill.ts'

export interface Conduct {
  readonly log: (line: string) => void
  /** Where the log of every drill goes; null: those of failed ones are printed, the others dropped. */
  readonly logs: string | null
  /** Says every tenth drill that passed instead of each. */
  readonly quiet: boolean
}

export interface Conducted {
  readonly passed: number
  readonly failed: number
  readonly seconds: number
}

/** Carries out a campaign and tells of it while it goes on. */
export async function conduct(
  campaign: Campaign,
  equipment: Equipment,
  { log, logs, quiet }: Conduct,
): Promise<Conducted> {
  const since = performance.now()
  const seconds = (): number => (performance.now() - since) / 1000
  log(`drills with seed ${campaign.seed}`)
  const ended = await runCampaign(campaign, equipment, async progress => {
    const passed = problemsOf(progress.last).length === 0
    if (!passed || !quiet || progress.done % 10 === 0) for (const line of progressLines(progress)) log(line)
    if (logs !== null) await keepLog(logs, progress.last)
  })
  for (const line of closingLines(campaign, ended, seconds())) log(line)
  const failed = ended.filter(one => problemsOf(one).length > 0).length
  return { passed: ended.length - failed, failed, seconds: seconds() }
}
