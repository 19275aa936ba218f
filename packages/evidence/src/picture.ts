import type { Result } from '@gpu-actions/benchmark'
import { blockFigures } from './facts.ts'
import { figure } from './markdown.ts'

const width = 960
const height = 360
const plot = { left: 70, right: 940, top: 78, bottom: 310 }
/** Steps beyond this many share a column, which then shows its fastest and slowest step. */
const columns = 870
const labelled = 12

const xml = (text: string): string =>
  text
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\ufffe\uffff]/gu, '\ufffd')
    .replace(/[<>&"']/g, found => `&#${found.charCodeAt(0)};`)

/** Round values from `low` to `high`, about five of them. */
function ticks(low: number, high: number): readonly number[] {
  const rough = (high - low) / 5
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map(factor => factor * power).find(size => size >= rough) ?? rough
  const first = Math.ceil(low / step)
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, index) => (first + index) * step)
}

const at = (value: number): string => value.toFixed(1)

interface Scale {
  x(step: number): number
  y(ms: number): number
}

/** Not by spreading: a long run has more steps than a call can have arguments. */
const bounds = (steps: readonly number[]): { readonly fastest: number; readonly slowest: number } => ({
  fastest: steps.reduce((least, ms) => Math.min(least, ms), Infinity),
  slowest: steps.reduce((most, ms) => Math.max(most, ms), -Infinity),
})

/** The step times as one line; where steps are many, a column spans from its fastest to its slowest step. */
function line(steps: readonly number[], scale: Scale): string {
  const size = Math.max(1, Math.ceil(steps.length / columns))
  const points: string[] = []
  for (let start = 0; start < steps.length; start += size) {
    const chunk = steps.slice(start, start + size)
    const x = at(scale.x(start + chunk.length / 2))
    const { fastest, slowest } = bounds(chunk)
    points.push(`${x},${at(scale.y(fastest))}`)
    if (chunk.length > 1) points.push(`${x},${at(scale.y(slowest))}`)
  }
  return points.length === 1
    ? `<circle cx="${points[0]?.split(',')[0] ?? 0}" cy="${points[0]?.split(',')[1] ?? 0}" r="2" fill="#0969da"/>`
    : `<polyline points="${points.join(' ')}" fill="none" stroke="#0969da" stroke-width="1.2"/>`
}

function blockMarks(result: Result, scale: Scale): string {
  const figures = blockFigures(result)
  let start = 0
  return result.blocks
    .map((block, index) => {
      const [from, to] = [scale.x(start), scale.x(start + block.stepMs.length)]
      start += block.stepMs.length
      const shade = `<rect x="${at(from)}" y="${plot.top}" width="${at(to - from)}" height="${plot.bottom - plot.top}" fill="${index % 2 === 0 ? '#f6f8fa' : '#ffffff'}"/>`
      if (result.blocks.length > labelled) return shade
      return `${shade}<text x="${at((from + to) / 2)}" y="${plot.top - 8}" text-anchor="middle">${figure(figures[index])}</text>`
    })
    .join('\n')
}

/**
 * `throughput.svg`: the time of every step, block by block, with each block's images per second above it.
 * @returns undefined when no block was finished
 */
export function makePicture(result: Result): string | undefined {
  const steps = result.blocks.flatMap(block => block.stepMs)
  if (steps.length === 0) return undefined
  const { fastest, slowest } = bounds(steps)
  const margin = Math.max((slowest - fastest) * 0.1, slowest * 0.01)
  const [low, high] = [Math.max(0, fastest - margin), slowest + margin]
  const scale: Scale = {
    x: step => plot.left + ((plot.right - plot.left) * step) / steps.length,
    y: ms => plot.bottom - ((plot.bottom - plot.top) * (ms - low)) / (high - low),
  }
  const grid = ticks(low, high).map(
    tick =>
      `<line x1="${plot.left}" x2="${plot.right}" y1="${at(scale.y(tick))}" y2="${at(scale.y(tick))}" stroke="#d0d7de"/>` +
      `<text x="${plot.left - 8}" y="${at(scale.y(tick) + 4)}" text-anchor="end">${figure(tick, 4)}</text>`,
  )
  const title = `ResNet-50 on ${result.device ?? 'an unknown device'}: ${steps.length} timed steps in ${result.blocks.length} blocks`
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12" fill="#1f2328">
<rect width="${width}" height="${height}" fill="#ffffff"/>
<text x="${plot.left}" y="26" font-size="16" font-weight="600">${xml(title)}</text>
<text x="${plot.left}" y="46" fill="#59636e">milliseconds a step${result.blocks.length > labelled ? '' : '; above each block its images per second'}</text>
${blockMarks(result, scale)}
${grid.join('\n')}
${line(steps, scale)}
<line x1="${plot.left}" x2="${plot.right}" y1="${plot.bottom}" y2="${plot.bottom}" stroke="#59636e"/>
<text x="${plot.left}" y="${plot.bottom + 20}">1</text>
<text x="${plot.right}" y="${plot.bottom + 20}" text-anchor="end">${steps.length}</text>
<text x="${(plot.left + plot.right) / 2}" y="${plot.bottom + 20}" text-anchor="middle" fill="#59636e">timed step</text>
</svg>
`
}
