import { usdWords } from './facts.ts'
import { cell, dash, figure, plain, table } from './markdown.ts'
import type { Evidence } from './schema.ts'

const percent = (share: number | null): string => (share === null ? dash : `${figure(share * 100, 3)} %`)

const keyMeaning =
  'Two results may be compared when their keys are equal; the key is a digest of the workload, the device, its settings and the software that chooses its kernels, and `evidence.json` holds its fields.'

/** What the figures are worth beside what is known of this GPU and machine; `–` where an input is missing. */
export function worth({ ratios, environmentKey }: Evidence): string {
  if (ratios === null && environmentKey === null) return ''
  return ['## Ratios', ratioTable(ratios), keyLine(environmentKey)].filter(part => part !== '').join('\n\n')
}

function ratioTable(ratios: Evidence['ratios']): string {
  if (ratios === null) return ''
  const { anchor, estimate } = ratios
  const than =
    anchor === null
      ? 'no published figure for this GPU, mode, precision and image size'
      : `${figure(anchor.of.imagesPerSecond)} images/s, ${plain(anchor.of.stack)}: ${plain(anchor.of.source)}, ${cell(anchor.of.date)}`
  return table([
    ['ratio', 'value', 'of what'],
    ['MFU', percent(ratios.mfu), 'the dense 16-bit peak of the data sheet; 7 to 27 % is what good runs have'],
    ['roofline ratio', percent(ratios.roofline), 'what the measured memory bandwidth allows'],
    ['anchor ratio', percent(anchor?.ratio ?? null), than],
    ...(estimate === null
      ? []
      : [['estimate ratio', percent(estimate.ratio), `${figure(estimate.imagesPerSecond)} images/s, our estimate: no pass line`]]), // prettier-ignore
    ['cost per million images', usdWords(ratios.costPerMillionImages), 'the price of the machine an hour'],
    ['joules per image', figure(ratios.joulesPerImage, 3), "the driver's own count of the energy of the GPUs"],
  ])
}

const keyLine = (key: Evidence['environmentKey']): string =>
  key === null ? `Environment key: ${dash}. The host told nothing of itself.` : `Environment key: ${plain(key.key)}. ${keyMeaning}`

/** `MFU 22.3 %, $0.53 per million images`; undefined where neither is known. */
export function worthWords({ ratios }: Pick<Evidence, 'ratios'>): string | undefined {
  const { mfu = null, costPerMillionImages: cost = null } = ratios ?? {}
  const words = [
    ...(mfu === null ? [] : [`MFU ${percent(mfu)}`]),
    ...(cost === null ? [] : [`${usdWords(cost)} per million images`]),
  ]
  return words.length === 0 ? undefined : words.join(', ')
}
