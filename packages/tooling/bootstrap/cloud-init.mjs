import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { provide } from './cache.mjs'
import { onPath, run, tail } from './processes.mjs'
import { CannotHave, step } from './progress.mjs'
import { provideUv, uvEnv } from './uv.mjs'

const what = 'cloud-init'
const system = '/usr/bin/python3'
const importable = ['-c', 'import cloudinit.user_data, cloudinit.handlers, cloudinit.stages']
const packages = ['PyYAML', 'Jinja2', 'configobj', 'jsonschema', 'jsonpatch', 'oauthlib', 'requests', 'pyserial']

// The wrapper finds its folder by itself: the folder is renamed when it is whole.
const wrapper = `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
PYTHONPATH="$here/root/usr/lib/python3/dist-packages" exec "$here/venv/bin/python" "$@"
`

/**
 * A Python that imports Debian's or Ubuntu's cloudinit, against which the user data is checked: the system's, or one
 * from the distribution's package, unpacked into the cache and not installed.
 *
 * @param {string} cache
 * @returns {Promise<string>} path of a program that is called as python is
 */
export async function provideCloudInit(cache) {
  if ((await run(system, importable)).ok) return system
  if (onPath(['apt-get']).length === 0 || onPath(['dpkg']).length === 0) {
    throw new CannotHave(
      what,
      'it comes from the packages of Debian or Ubuntu, and this is neither',
      'The test of the user data is left out.',
    )
  }
  const folder = await provide(cache, 'cloud-init-1', draft => step(what, report => unpack(cache, draft, report)))
  return join(folder, 'python')
}

async function unpack(
  /** @type {string} */ cache,
  /** @type {string} */ draft,
  /** @type {(line: string) => void} */ report,
) {
  const uv = await provideUv(cache)
  await download(draft, report)
  const deb = readdirSync(draft).find(name => name.endsWith('.deb'))
  if (deb === undefined)
    throw new CannotHave(what, 'apt-get download left no package', 'Try "apt-get download cloud-init" by hand.')
  const root = join(draft, 'root')
  mkdirSync(root)
  const venv = join(draft, 'venv')
  await must('dpkg', ['-x', join(draft, deb), root])
  // The distribution's own Python: a package for another version may not import.
  await must(uv, ['venv', '--quiet', '--relocatable', '--python', existsSync(system) ? system : '>=3.9', venv])
  await must(uv, ['pip', 'install', '--python', join(venv, 'bin/python'), ...packages])
  writeFileSync(join(draft, 'python'), wrapper)
  chmodSync(join(draft, 'python'), 0o755)
  await must(join(draft, 'python'), importable)

  async function must(/** @type {string} */ program, /** @type {string[]} */ args) {
    const { ok, output } = await run(program, args, { report, env: uvEnv() })
    if (!ok)
      throw new CannotHave(
        what,
        `${program} ${args[0]} failed:\n${tail(output, 5)}\n`,
        'The test of the user data is left out.',
      )
  }
}

// The package lists may be missing, as in container images; only root can fetch them.
async function download(/** @type {string} */ folder, /** @type {(line: string) => void} */ report) {
  const get = () => run('apt-get', ['download', 'cloud-init'], { cwd: folder, report })
  if ((await get()).ok) return
  if (process.getuid?.() === 0) await run('apt-get', ['update'], { report })
  const { ok, output } = await get()
  if (!ok)
    throw new CannotHave(
      what,
      `apt-get download failed:\n${tail(output, 5)}\n`,
      'Run "apt-get update" as root and try again.',
    )
}
