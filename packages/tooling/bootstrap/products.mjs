import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { spawn } from 'node:child_process'
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

// Sources whose change makes a product stale. Tests and Markdown outside the actions are not among them.
const inputs =
  /^(ncc\.config\.js|package-lock\.json|LICENSE|actions\/[^/]+\/(src\/.*|package\.json|action\.yml|README\.md)|packages\/[^/]+\/(src\/.*|programs\/.*|package\.json))$/

/** A digest of all sources that products are made of. */
export function digestOfInputs(/** @type {string} */ root) {
  const digest = createHash('sha256')
  for (const path of filesBelow(root, '')
    .filter(path => inputs.test(path))
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
 * Runs `make`, and stamps the product with the sources it was made of when it succeeded.
 *
 * @template {number | void} T
 * @param {string} root
 * @param {Product} product
 * @param {() => Promise<T>} make
 * @returns {Promise<T>}
 */
export async function stamped(root, product, make) {
  const stamp = stampOf(root, product)
  rmSync(stamp, { force: true })
  const digest = digestOfInputs(root)
  const outcome = await make()
  if (outcome !== undefined && outcome !== 0) return outcome
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, digest)
  return outcome
}

/**
 * Makes the product, and what it is made of, unless it is fresh.
 *
 * @param {string} root
 * @param {Product} product
 * @param {string} node a Node 24
 * @param {NodeJS.ProcessEnv} env
 */
export async function provideProduct(root, product, node, env) {
  if (product === 'releaseTree') await provideProduct(root, 'bundles', node, env)
  if (isFresh(root, product)) return
  const { title, entry } = products[product]
  await stamped(root, product, () =>
    step(title, () => runVisibly(node, join(root, entry), root, env)).catch(() => {
      throw new CannotHave(
        title,
        `${entry} failed, its output is above`,
        'Correct the sources and run the same command again.',
      )
    }),
  )
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
