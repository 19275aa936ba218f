import { measureFiles, type Size } from './sizes.ts'

/** Design §12: what a start and a release may cost. */
export const budgets = { coldStartMs: 150, rawBytes: 6e6, gzippedBytes: 1.2e6 } as const

/** The size of the release tree, and whether it is within its budget. */
export function weigh(tree: string): { readonly size: Size; readonly within: boolean } {
  const size = measureFiles(tree)
  return { size, within: size.raw <= budgets.rawBytes && size.gzipped <= budgets.gzippedBytes }
}

/** `4.47 MB raw, 0.93 MB gzipped`. */
export function sizeWords({ raw, gzipped }: Size): string {
  const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(2)
  return `${megabytes(raw)} MB raw, ${megabytes(gzipped)} MB gzipped`
}
