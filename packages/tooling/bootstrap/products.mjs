import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { spawn } from 'node:child_process'
import { withLock } from './cache.mjs'
import { CannotHave, step } from './progress.mjs'

/**
 * What is built from the sources, by whom, and what must be there for it to count as built.
 *
 * @type {Readonly<Record<'bundles' | 'releaseTree', { title: string, entry: string, proof: string }>>}
 */
const products = {
  bundles: { title: 'build (dist/)', entry: 'packages/tooling/src/build.ts', proof: 'dist/index.js' },
  releaseTree: {
    title: 'release tree',
    entry: 'packages/tooling/src/release-tree.ts',
    proof: 'build/release-tree/action.yml',
  },
}

/** @typedef {keyof typeof products} Product */

// Sources whose change makes a product stale: what ships, and what builds it. Development's own packages ship nothing.
const inputs = [
  /^(ncc\.config\.js|package-lock\.json|LICENSE|README\.md)$/,
  /^actions\/[^/]+\/(src\/.*|package\.json|action\.yml|README\.md)$/,
  /^packages\/(?!tooling|offline-cloud|workflow-runner)[^/]+\/(src\/.*|programs\/.*\.py|package\.json)$/,
  /^packages\/tooling\/src\/(bundling\/.*|release\/.*|build\.ts|release-tree\.ts|repository\.ts)$/,
]

/** A digest of all sources that products are made of. */
export function digestOfInputs(/** @type {string} */ root) {
  const digest = createHash('sha256')
  for (const path of filesBelow(root, '')
    .filter(path => inputs.some(input => input.test(path)))
    .sort()) {
    digest
      .update(`${path}\0`)
      .update(readFileSync(join(root, path)))
      .update('\0')
  }
  return digest.digest('hex')
}

/** @returns {string[]} */
function filesBelow(/** @type {string} */ root, /** @type {string} */ folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap(entry => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (!entry.isDirectory()) return [path]
    // Only these folders hold inputs; the rest (node_modules, .git, products) is large.
    const skipped =
      folder === ''
        ? !['actions', 'packages'].includes(entry.name)
        : ['node_modules', 'build', 'test', '__pycache__'].includes(entry.name)
    return skipped ? [] : filesBelow(root, path)
  })
}

const stampOf = (/** @type {string} */ root, /** @type {Product} */ product) => join(root, 'build/stamps', product)

/**
 * Whether the product was made of the sources as they are now.
 *
 * @param {string} root
 * @param {Product} product
 */
export function isFresh(root, product, digest = digestOfInputs(root)) {
  const stamp = stampOf(root, product)
  return existsSync(join(root, products[product].proof)) && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest
}

/**
 * Runs `make`, and stamps the product with the sources it was made of when it succeeded. One at a time in a clone.
 *
 * @param {string} root
 * @param {Product} product
 * @param {() => Promise<number>} make gives an exit code
 * @returns {Promise<number>}
 */
export function stamped(root, product, make) {
  return withLock(`${stampOf(root, product)}.lock`, () => makeAndStamp(root, product, make))
}

/**
 * Makes the product, and what it is made of, unless it is fresh.
 *
 * @param {string} root
 * @param {Product} product
 * @param {string} node a Node 24
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<void>}
 */
export async function provideProduct(root, product, node, env) {
  if (product === 'releaseTree') await provideProduct(root, 'bundles', node, env)
  if (isFresh(root, product)) return
  const { title, entry } = products[product]
  const exitCode = await withLock(`${stampOf(root, product)}.lock`, async () => {
    if (isFresh(root, product)) return 0
    const make = () => runVisibly(node, join(root, entry), root, env)
    return makeAndStamp(root, product, () =>
      step(title, make).then(
        () => 0,
        () => 1,
      ),
    )
  })
  if (exitCode === 0) return
  throw new CannotHave(
    title,
    `${entry} failed, its output is above`,
    'Correct what it names and run the same command again.',
  )
}

async function makeAndStamp(
  /** @type {string} */ root,
  /** @type {Product} */ product,
  /** @type {() => Promise<number>} */ make,
) {
  const stamp = stampOf(root, product)
  rmSync(stamp, { force: true })
  // What is made of older sources would be taken for the new one if making it failed.
  rmSync(join(root, products[product].proof), { force: true })
  const digest = digestOfInputs(root)
  const exitCode = await make()
  if (exitCode === 0) {
    mkdirSync(dirname(stamp), { recursive: true })
    writeFileSync(stamp, digest)
  }
  return exitCode
}

/** @returns {Promise<void>} */
function runVisibly(
  /** @type {string} */ node,
  /** @type {string} */ entry,
  /** @type {string} */ cwd,
  /** @type {NodeJS.ProcessEnv} */ env,
) {
  return new Promise((resolve, reject) => {
    // Its stdout goes to our stderr: stdout belongs to the command that comes after.
    const child = spawn(node, ['--disable-warning=ExperimentalWarning', entry], { cwd, env, stdio: ['ignore', 2, 2] })
    child.on('error', reject)
    child.on('close', code => (code === 0 ? resolve() : reject(new Error(`exit ${code}`))))
  })
}
