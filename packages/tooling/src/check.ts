import { runChecks } from './check/checks.ts'
import { summaryLine } from './suites/outcome.ts'

const outcomes = await runChecks()
console.log(`\n${summaryLine(outcomes)}`)
process.exitCode = outcomes.every(({ failed }) => failed === 0) ? 0 : 1
