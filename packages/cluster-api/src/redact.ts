/** Shapes of secrets, and what of a match stays. */
const shapes: readonly (readonly [RegExp, string])[] = [
  // JSON web tokens.
  [/\beyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?/g, '***'],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, '***'],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{8,}/gi, '$1 ***'],
  [/\b(X-Radix-(?:One-Time|Cluster)-Token["']?\s*[:=]\s*["']?)[^\s"',;]+/gi, '$1***'],
  [
    /\b([\w-]*(?:token|password|passwd|secret|api[_-]?key|access[_-]?key)[\w-]*["']?\s*[:=]\s*["']?)(?!\s|\*\*\*)[^\s"',;]{6,}/gi,
    '$1***',
  ],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, '***'],
]

/** The text without the given secrets, and without what looks like one. */
export function redact(text: string, secrets: readonly string[] = []): string {
  const known = secrets
    .filter(secret => secret.length >= 4)
    .reduce((left, secret) => left.replaceAll(secret, '***'), text)
  return shapes.reduce((left, [shape, kept]) => left.replace(shape, kept), known)
}
