import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { provide } from './cache.mjs'
import { onPath, run, tail } from './processes.mjs'
import { CannotHave, step } from './progress.mjs'

const version = '0.13.9'

/**
 * uv, the installer of Python packages: the one on the PATH, or one from PyPI.
 *
 * @param {string} cache
 * @returns {Promise<string>} path of the binary
 */
export async function provideUv(cache) {
  const [present] = onPath(['uv'])
  if (present !== undefined) return present
  const folder = await provide(cache, `uv-${version}`, draft =>
    step(`uv ${version}`, report => installUv(draft, report)),
  )
  return join(folder, 'bin/uv')
}

/** Environment for uv: patient with slow networks, and never a question. */
export const uvEnv = () => ({ UV_HTTP_TIMEOUT: '180', UV_NO_PROGRESS: '1', ...process.env })

async function installUv(/** @type {string} */ draft, /** @type {(line: string) => void} */ report) {
  const [python] = onPath(['python3', 'python'])
  if (python === undefined) {
    throw new CannotHave(
      'Python',
      'there is no python3 on the PATH',
      'Install Python 3.10 or newer, or uv (https://docs.astral.sh/uv).',
    )
  }
  const direct = await run(python, ['-m', 'pip', 'install', '--quiet', '--target', draft, `uv==${version}`], { report })
  if (direct.ok && existsSync(join(draft, 'bin/uv'))) return
  const venv = await run(python, ['-m', 'venv', join(draft, 'venv')], { report })
  if (venv.ok) {
    const inVenv = await run(
      join(draft, 'venv/bin/python'),
      ['-m', 'pip', 'install', '--quiet', '--target', draft, `uv==${version}`],
      { report },
    )
    if (inVenv.ok && existsSync(join(draft, 'bin/uv'))) return
  }
  throw new CannotHave(
    'uv',
    `${python} has neither pip nor venv, or PyPI does not answer:\n${tail(direct.output, 5)}\n${tail(venv.output, 5)}\n`,
    'Install uv (https://docs.astral.sh/uv), or pip (on Debian and Ubuntu: apt-get install python3-pip).',
  )
}
