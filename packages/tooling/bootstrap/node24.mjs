import { join } from 'node:path'
import { provide } from './cache.mjs'
import { run, tail } from './processes.mjs'
import { CannotHave, step } from './progress.mjs'

const version = '24.21.0'

/**
 * A Node 24 or newer: this one, or one from the npm registry. Runners run actions with Node 24, and it runs
 * TypeScript as it stands.
 *
 * @param {string} cache
 * @returns {Promise<string>} path of the binary
 */
export async function provideNode(cache) {
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath
  const name = `node-${process.platform}-${process.arch}`
  const folder = await provide(cache, `${name}-${version}`, draft =>
    step(`Node ${version} (about 190 MB)`, async report => {
      const args = [
        'install',
        '--loglevel',
        'error',
        '--ignore-scripts',
        '--no-save',
        '--no-audit',
        '--no-fund',
        '--no-package-lock',
        '--prefix',
        draft,
        `${name}@${version}`,
      ]
      const { ok, output } = await run('npm', args, { cwd: draft, report })
      const works = ok && (await run(join(draft, 'node_modules', name, 'bin/node'), ['--version'])).ok
      if (works) return
      throw new CannotHave(
        `Node ${version}`,
        `installing ${name} from npm failed:\n${tail(output)}\n`,
        'Install Node 24 (https://nodejs.org), put it first on the PATH and run the same command again.',
      )
    }),
  )
  return join(folder, 'node_modules', name, 'bin/node')
}
