const part = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/

/**
 * Reads `30s`, `45m`, `1h30m` or a bare number of minutes.
 * @returns milliseconds, or undefined when the text is no duration
 */
export function parseDuration(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) * 60_000
  const found = text === '' ? null : part.exec(text)
  if (found === null) return undefined
  const [, hours = '0', minutes = '0', seconds = '0'] = found
  return ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000
}

/** `95_000` → `1m35s`, `3_600_000` → `1h`, `400` → `0.4s`. */
export function formatDuration(ms: number): string {
  if (ms < 9_950) return `${Number((ms / 1000).toFixed(1))}s`
  const seconds = Math.round(ms / 1000)
  const parts: [number, string][] = [
    [Math.floor(seconds / 3600), 'h'],
    [Math.floor((seconds % 3600) / 60), 'm'],
    [seconds % 60, 's'],
  ]
  return parts.map(([value, unit]) => (value > 0 ? `${value}${unit}` : '')).join('')
}
