import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { withLock } from './cache.mjs'
import { run } from './processes.mjs'
import { CannotHave, step } from './progress.mjs'

/**
 * Installs node_modules when it is missing or differs from package-lock.json.
 *
 * @param {{ root: string, cache: string }} place
 */
export async function provideNodeModules({ root, cache }) {
  if (isInstalled(root)) return
  const clone = createHash('sha256').update(root).digest('hex').slice(0, 12)
  await withLock(join(cache, `node-modules-${clone}.lock`), async () => {
    if (isInstalled(root)) return
    await step('node_modules', report => install(root, report))
  })
}

// Said outright: under "npm run --silent" npm would not tell what went wrong.
const quietly = ['--loglevel', 'error', '--ignore-scripts', '--no-audit', '--no-fund']

async function install(/** @type {string} */ root, /** @type {(line: string) => void} */ report) {
  const npm = (/** @type {string[]} */ args) => run('npm', [...args, ...quietly], { cwd: root, report })
  let { ok, output } = await npm(['ci'])
  // npm ci refuses a lock file without the optional packages of other platforms, which npm leaves out when the registry
  // that it was made with does not list them (npm/cli#4828). npm install takes the versions of the lock file too.
  if (!ok && output.includes('EUSAGE')) {
    report('npm install')
    ;({ ok, output } = await npm(['install', '--no-save']))
  }
  if (ok) return
  const words = output.split('\n').filter(line => line.startsWith('npm error'))
  throw new CannotHave(
    'node_modules',
    `npm failed:\n${words.slice(0, 10).join('\n')}\n`,
    'Run "npm ci --ignore-scripts" to see all of it.',
  )
}

/**
 * npm writes node_modules/.package-lock.json last, with what it installed: when that agrees with package-lock.json,
 * nothing is to be done. Optional packages may be missing (they are for other platforms).
 *
 * @param {string} root
 */
export function isInstalled(root) {
  const installedPath = join(root, 'node_modules/.package-lock.json')
  if (!existsSync(installedPath)) return false
  const wanted = packagesOf(join(root, 'package-lock.json'))
  const installed = packagesOf(installedPath)
  const required = Object.entries(wanted).filter(([path]) => path.includes('node_modules/'))
  return required.every(([path, { version, link, optional, devOptional }]) => {
    const found = installed[path]
    if (found === undefined) return Boolean(optional ?? devOptional)
    return found.version === version && found.link === link
  })
}

/**
 * @param {string} path
 * @returns {Record<string, { version?: string, link?: boolean, optional?: boolean, devOptional?: boolean }>}
 */
function packagesOf(path) {
  return JSON.parse(readFileSync(path, 'utf8')).packages ?? {}
}
