import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { format } from 'prettier'
import { root } from '../repository.ts'
import { runProgram } from '../suites/processes.ts'

/** The page with the picture of who imports whom. */
export const picturePath = 'docs/architecture.md'

const drawing = [
  ...['--config', '.dependency-cruiser.cjs', '--output-type', 'mermaid'],
  ...['--include-only', '^(packages|actions)/[^/]+/src', '--collapse', '^(packages|actions)/[^/]+'],
  ...['packages', 'actions'],
]

/** The page, drawn from the imports as they are, by the tool that checks their direction. */
export async function drawPicture(): Promise<string> {
  const { exitCode, output } = await runProgram('node_modules/.bin/depcruise', drawing, { cwd: root, show: false })
  if (exitCode !== 0) throw new Error(`dependency-cruiser could not draw:\n${output}`)
  const page = `# Who imports whom

Drawn from the sources by \`npm run generate\`; \`npm run check\` fails when it is out of date, and when an import points against the direction that \`.dependency-cruiser.cjs\` lays down.

\`\`\`mermaid
${inOrder(output.trim())}
\`\`\`
`
  return format(page, { parser: 'markdown' })
}

// The arrows come in the order in which the imports stand in the sources: moving a line would redraw the page.
function inOrder(mermaid: string): string {
  const lines = mermaid.split('\n')
  const isArrow = (line: string): boolean => /^\w+-->\w+$/.test(line)
  return [...lines.filter(line => !isArrow(line)), ...lines.filter(isArrow).sort()].join('\n')
}

/** Whether the page is missing or shows something else. */
export async function pictureIsStale(): Promise<boolean> {
  const path = join(root, picturePath)
  return !existsSync(path) || readFileSync(path, 'utf8') !== (await drawPicture())
}

/** Draws the page anew. */
export async function writePicture(): Promise<void> {
  writeFileSync(join(root, picturePath), await drawPicture())
}
