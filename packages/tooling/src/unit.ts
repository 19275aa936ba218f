import { runJest } from './suites/jest.ts'
import { summaryLine } from './suites/outcome.ts'

const outcome = await runJest('unit', 2)
console.log(`\n${summaryLine([outcome])}`)
process.exitCode = outcome.failed === 0 ? 0 : 1
