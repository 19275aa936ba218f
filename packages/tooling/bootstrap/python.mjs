import { mkdirSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { provide } from './cache.mjs'
import { onPath, run, tail } from './processes.mjs'
import { CannotHave, say, step } from './progress.mjs'
import { provideUv, uvEnv } from './uv.mjs'

const what = 'A Python with PyTorch'
const folderName = 'python-torch-1'
const torch = 'torch>=2.4'
// numpy is here because torch warns at import without it; ruff checks the host programs.
const companions = ['pytest==9.2.0', 'ruff==0.17.6', 'numpy']
const cpuIndex = 'https://download.pytorch.org/whl/cpu'
const byHand = 'Set GPU_ACTIONS_PYTHON to a Python that imports torch (2.4 or newer) and pytest.'

/**
 * A Python that imports torch and pytest: the one named by GPU_ACTIONS_PYTHON, one on the PATH, or a virtual
 * environment in the cache.
 *
 * @param {string} cache
 * @returns {Promise<string>} path of the interpreter
 */
export async function providePython(cache) {
  const present = await findPython(cache)
  if (present !== undefined) return present
  const folder = await provide(cache, folderName, draft => install(cache, draft))
  return join(folder, 'bin/python')
}

/**
 * The same without installing anything.
 *
 * @param {string} cache
 * @returns {Promise<string | undefined>}
 */
export async function findPython(cache) {
  const named = process.env.GPU_ACTIONS_PYTHON
  if (named) {
    const { ok, output } = await run(named, ['-c', 'import torch, pytest'])
    if (ok) return named
    throw new CannotHave(
      what,
      `GPU_ACTIONS_PYTHON names ${named}, which does not import torch and pytest:\n${tail(output, 3)}\n`,
      'Correct it, or unset it to have one set up.',
    )
  }
  const own = join(cache, folderName, 'bin/python')
  for (const python of onPath(['python3', 'python'])) {
    if (await importsTorch(python)) return python
  }
  return (await run(own, ['-c', ''])).ok ? own : undefined
}

// Looking for the packages is quick, importing torch takes seconds: only a Python that has them is asked to.
async function importsTorch(/** @type {string} */ python) {
  const has = 'import sys, importlib.util as u; sys.exit(not (u.find_spec("torch") and u.find_spec("pytest")))'
  return (await run(python, ['-c', has])).ok && (await run(python, ['-c', 'import torch, pytest'])).ok
}

async function install(/** @type {string} */ cache, /** @type {string} */ draft) {
  const uv = await provideUv(cache)
  const small = process.platform !== 'linux' || (await answers(`${cpuIndex}/torch/`))
  const size = small
    ? 'about 0.2 GB'
    : '3 GB to download, 6 GB of disk: PyPI has it for Linux with the CUDA libraries only'
  if (!small) requireSpace(cache, 8)
  const work = async (/** @type {(line: string) => void} */ report) => {
    const attempt = async (/** @type {string[]} */ args, program = uv) => {
      const { ok, output } = await run(program, args, { report, env: uvEnv() })
      return ok ? undefined : tail(output)
    }
    const python = join(draft, 'bin/python')
    const install = ['pip', 'install', '--python', python, '--compile-bytecode']
    // The folder is renamed when it is whole: its scripts must not remember the first name.
    const fault =
      (await attempt(['venv', '--quiet', '--relocatable', '--allow-existing', '--python', '>=3.10', draft])) ??
      (await installTorch(small && process.platform === 'linux', install, attempt)) ??
      (await attempt([...install, ...companions])) ??
      (await attempt(['-c', 'import torch, pytest'], python))
    if (fault !== undefined) throw new CannotHave(what, `installing it failed:\n${fault}\n`, byHand)
  }
  await step('PyTorch in a virtual environment', work, size)
}

async function installTorch(
  /** @type {boolean} */ fromCpuIndex,
  /** @type {string[]} */ install,
  /** @type {(args: string[]) => Promise<string | undefined>} */ attempt,
) {
  if (fromCpuIndex) {
    const fault = await attempt([...install, '--index-url', cpuIndex, torch])
    if (fault === undefined) return undefined
    say(`PyTorch's own index answered but could not be used; taking the larger one from PyPI`)
  }
  return attempt([...install, torch])
}

async function answers(/** @type {string} */ url) {
  try {
    const response = await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(4_000) })
    return response.ok
  } catch {
    return false
  }
}

function requireSpace(/** @type {string} */ folder, /** @type {number} */ gigabytes) {
  mkdirSync(folder, { recursive: true })
  const { bavail, bsize } = statfsSync(folder)
  const free = (bavail * bsize) / 1e9
  if (free >= gigabytes) return
  throw new CannotHave(
    what,
    `it takes up to ${gigabytes} GB, and ${folder} has ${free.toFixed(1)} GB free`,
    `Free some space, or set XDG_CACHE_HOME to a larger disk. ${byHand}`,
  )
}
