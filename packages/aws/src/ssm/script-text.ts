/** Longest script that fits into a document of 64 KB in every form below, in bytes of UTF-8. */
export const scriptBytes = 45_000

/** What is left of the 64 KB for the parameters, in bytes. */
const documentRoom = 61_000

/**
 * The form in which a script travels. Readable as it is; only one that the service would change (`{{…}}` stands for a
 * parameter, control characters are not safe on the way) or that would not fit travels as base64.
 * Standard error joins standard output, so that their order is kept.
 */
export function travelling(script: string): string {
  const plain = `exec 2>&1\n${script}`
  const safe = !/[\p{Cc}\p{Cs}]/u.test(script.replace(/[\n\t]/g, '')) && !script.includes('{{')
  if (safe && Buffer.byteLength(JSON.stringify(plain)) <= documentRoom) return plain
  return `exec 2>&1\neval "$(printf %s '${Buffer.from(script).toString('base64')}' | base64 -d)"\n`
}
