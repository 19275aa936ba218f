// Progress goes to stderr: the stdout of a command such as offline-cloud belongs to its reader.

/** A part that cannot be had: what, why, and what to do about it. */
export class CannotHave extends Error {
  /**
   * @param {string} what
   * @param {string} why
   * @param {string} advice
   */
  constructor(what, why, advice) {
    super(`${what} cannot be set up: ${why.trim().replace(/\.?$/, '.')} ${advice}`)
    this.name = 'CannotHave'
  }
}

const seconds = (/** @type {number} */ since) => `${((Date.now() - since) / 1000).toFixed(1)} s`

/** @param {string} line */
export function say(line) {
  process.stderr.write(`set-up: ${line}\n`)
}

/**
 * Announces a step, keeps a sign of life going while it works, and says how long it took.
 *
 * @template T
 * @param {string} title
 * @param {(report: (line: string) => void) => Promise<T>} work `report` takes what the step's program prints
 * @param {string} [detail] said once, with the first line
 * @returns {Promise<T>}
 */
export async function step(title, work, detail = '') {
  const since = Date.now()
  let last = ''
  say(`${title}${detail && ` (${detail})`} …`)
  const signOfLife = setInterval(() => say(`${title}: ${seconds(since)}${last && `, ${last}`}`), 10_000)
  try {
    const value = await work(line => (last = line.slice(0, 100)))
    say(`${title}: done in ${seconds(since)}`)
    return value
  } catch (error) {
    say(`${title}: failed after ${seconds(since)}`)
    throw error
  } finally {
    clearInterval(signOfLife)
  }
}
