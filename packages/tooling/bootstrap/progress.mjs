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

/** Steps at work, each with the last line of its program. One sign of life tells of all: they run side by side. */
const atWork = new Map()
const signOfLifeMs = 15_000
let signOfLife
let started = 0

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
  say(`${title}${detail && ` (${detail})`} …`)
  enter(title)
  try {
    const value = await work(line => atWork.set(title, line.slice(0, 60)))
    say(`${title}: done in ${seconds(since)}`)
    return value
  } catch (error) {
    say(`${title}: failed after ${seconds(since)}`)
    throw error
  } finally {
    leave(title)
  }
}

function enter(/** @type {string} */ title) {
  if (atWork.size === 0) {
    started = Date.now()
    signOfLife = setInterval(() => {
      const steps = [...atWork].map(([name, line]) => (line ? `${name} (${line})` : name))
      say(`${seconds(started)}: at work on ${steps.join(', ')}`)
    }, signOfLifeMs)
  }
  atWork.set(title, '')
}

function leave(/** @type {string} */ title) {
  atWork.delete(title)
  if (atWork.size === 0) clearInterval(signOfLife)
}
