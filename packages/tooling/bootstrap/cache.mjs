import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { homedir, hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { randomUUID } from 'node:crypto'
import { say } from './progress.mjs'

/** Where set-up keeps what clones share: the user's cache folder. */
export function cacheFolder(env = process.env, platform = process.platform) {
  if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, 'gpu-actions')
  return join(homedir(), platform === 'darwin' ? 'Library/Caches' : '.cache', 'gpu-actions')
}

/**
 * The folder `name` of the cache, made once. It is made under another name and renamed when whole, so that a set-up
 * killed half-way leaves nothing that looks done; a lock keeps two set-ups from making it at once.
 *
 * @param {string} cache
 * @param {string} name carries the version of what is in it
 * @param {(draft: string) => Promise<void>} make fills the folder `draft`, which exists and is empty
 * @returns {Promise<string>}
 */
export async function provide(cache, name, make) {
  const target = join(cache, name)
  if (existsSync(target)) return target
  return withLock(join(cache, `${name}.lock`), async () => {
    if (existsSync(target)) return target
    removeDrafts(cache, name)
    const draft = join(cache, `${name}.draft-${randomUUID().slice(0, 8)}`)
    mkdirSync(draft, { recursive: true })
    try {
      await make(draft)
      renameSync(draft, target)
    } catch (error) {
      rmSync(draft, { recursive: true, force: true })
      throw error
    }
    return target
  })
}

// Whoever holds the lock knows that every draft it finds was left by a set-up that died.
function removeDrafts(/** @type {string} */ cache, /** @type {string} */ name) {
  for (const entry of readdirSync(cache)) {
    if (entry.startsWith(`${name}.draft-`)) rmSync(join(cache, entry), { recursive: true, force: true })
  }
}

const heartbeatMs = 5_000
const silentMs = 60_000

/**
 * Runs `work` while holding the lock file. A lock whose owner is dead, or has been silent for a minute (an owner on
 * another machine that shares the folder), is taken over.
 *
 * @template T
 * @param {string} path
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(path, work) {
  mkdirSync(dirname(path), { recursive: true })
  let waiting = false
  while (!acquire(path)) {
    if (isAbandoned(path)) {
      discard(path)
      continue
    }
    if (!waiting) say(`waiting for whoever makes ${basename(path, '.lock')}`)
    waiting = true
    await sleep(250)
  }
  const heartbeat = setInterval(() => touch(path), heartbeatMs)
  try {
    return await work()
  } finally {
    clearInterval(heartbeat)
    rmSync(path, { force: true })
  }
}

// A link appears with its content in one step; a file opened for writing would be seen empty for a moment.
function acquire(/** @type {string} */ path) {
  const own = `${path}.${randomUUID().slice(0, 8)}`
  writeFileSync(own, JSON.stringify({ pid: process.pid, host: hostname() }))
  try {
    linkSync(own, path)
    return true
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error
    return false
  } finally {
    rmSync(own, { force: true })
  }
}

function isAbandoned(/** @type {string} */ path) {
  try {
    const owner = JSON.parse(readFileSync(path, 'utf8'))
    if (owner.host === hostname() && !isAlive(owner.pid)) return true
    return Date.now() - statSync(path).mtimeMs > silentMs
  } catch {
    return false // gone meanwhile: the next try to acquire tells
  }
}

function isAlive(/** @type {number} */ pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM'
  }
}

// Renamed before it is removed, and looked at once more: a lock that another waiter took meanwhile is put back.
function discard(/** @type {string} */ path) {
  const aside = join(dirname(path), `${basename(path)}.${randomUUID().slice(0, 8)}`)
  try {
    renameSync(path, aside)
    if (!isAbandoned(aside)) linkSync(aside, path)
  } catch {
    // another waiter was quicker
  }
  rmSync(aside, { force: true })
}

function touch(/** @type {string} */ path) {
  try {
    utimesSync(path, new Date(), new Date())
  } catch {
    // taken over by someone who thought us dead; the rename at the end decides
  }
}
