import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { provideAct } from './act.mjs'
import { cacheFolder } from './cache.mjs'
import { provideCloudInit } from './cloud-init.mjs'
import { commands, usage } from './commands.mjs'
import { provideNode } from './node24.mjs'
import { provideNodeModules } from './node-modules.mjs'
import { provideProduct, stamped } from './products.mjs'
import { CannotHave, say } from './progress.mjs'
import { findPython, providePython } from './python.mjs'

/** @typedef {import('./commands.mjs').Command} Command */
/** @typedef {import('./commands.mjs').Part} Part */

const root = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '')

/** Programs that tests and commands find by a variable. */
const variables = { python: 'GPU_ACTIONS_PYTHON', act: 'GPU_ACTIONS_ACT', cloudInit: 'GPU_ACTIONS_CLOUD_INIT' }

/** @param {string[]} argv command and its arguments */
export async function main([name = '', ...args]) {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined) {
    console.error(name === '' ? usage() : `unknown command "${name}"\n${usage()}`)
    process.exitCode = 2
    return
  }
  try {
    const env = await setUp(command)
    const run = () => runEntry(command.entry, args, env)
    const [product] = command.makes ?? []
    process.exitCode =
      product === 'bundles' || product === 'releaseTree' ? await stamped(root, product, run) : await run()
  } catch (error) {
    if (!(error instanceof CannotHave)) throw error
    console.error(`\n${error.message}`)
    process.exitCode = 1
  }
}

/**
 * Side by side: what is built here, and what comes from elsewhere.
 *
 * @param {Command} command
 * @returns {Promise<NodeJS.ProcessEnv>} the environment of the command's entry
 */
async function setUp({ needs = [], wants = [], uses = [] }) {
  const cache = cacheFolder()
  const local = provideLocally(cache, needs, wants)
  const parts = /** @type {const} */ (['python', 'act', 'cloudInit'])
  const programs = parts.map(async part => {
    const program = await provideProgram(part, cache, { needs, wants, uses })
    return program === undefined ? [] : [[variables[part], program]]
  })
  // All settle before a failure is told: an installation that goes on after the end of its parent leaves half of it.
  const outcomes = await Promise.allSettled([local, ...programs])
  const failed = outcomes.find(outcome => outcome.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  const env = { ...(await local) }
  for (const variable of Object.values(variables)) delete env[variable]
  return { ...env, ...Object.fromEntries((await Promise.all(programs)).flat()) }
}

/**
 * @param {string} cache
 * @param {readonly Part[]} needs
 * @param {readonly Part[]} wants
 * @returns {Promise<NodeJS.ProcessEnv>}
 */
async function provideLocally(cache, needs, wants) {
  const [node] = await Promise.all([provideNode(cache), provideNodeModules({ root, cache })])
  const env = { ...process.env, GPU_ACTIONS_NODE: node, PATH: [dirname(node), process.env.PATH ?? ''].join(delimiter) }
  for (const product of /** @type {const} */ (['bundles', 'releaseTree'])) {
    if (needs.includes(product)) await provideProduct(root, product, node, env)
    else if (wants.includes(product)) await provideProduct(root, product, node, env).catch(goOnWithout)
  }
  return env
}

function goOnWithout(/** @type {unknown} */ error) {
  if (!(error instanceof CannotHave)) throw error
  say(`${error.message}\nset-up: going on without it; what needs it fails or is skipped.`)
}

/**
 * @param {'python' | 'act' | 'cloudInit'} part
 * @param {string} cache
 * @param {{ needs: readonly Part[], wants: readonly Part[], uses: readonly Part[] }} wish
 * @returns {Promise<string | undefined>}
 */
async function provideProgram(part, cache, { needs, wants, uses }) {
  if (part === 'python' && uses.includes(part)) return findPython(cache)
  if (!needs.includes(part) && !wants.includes(part)) return undefined
  const provide = { python: providePython, act: provideAct, cloudInit: provideCloudInit }[part]
  try {
    return await provide(cache)
  } catch (error) {
    if (needs.includes(part) || process.env.CI === 'true') throw error
    return goOnWithout(error)
  }
}

/**
 * @param {string} entry
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>} exit code
 */
function runEntry(entry, args, env) {
  return new Promise((resolve, reject) => {
    const node = env.GPU_ACTIONS_NODE ?? process.execPath
    const child = spawn(node, ['--disable-warning=ExperimentalWarning', join(root, entry), ...args], {
      env,
      stdio: 'inherit',
    })
    // The terminal sends Ctrl-C to the child too; passed on, it would count as the second one.
    const passOn = (/** @type {NodeJS.Signals} */ signal) => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    }
    for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, passOn)
    child.on('error', reject)
    child.on('close', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])))
  })
}
