import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { root } from '../src/repository.ts'

const bootstrap = join(root, 'packages/tooling/bootstrap')
const started: ChildProcess[] = []
let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gpu-actions-bootstrap-'))
})
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

/** Runs a script that may import the bootstrap's modules by `from './name.mjs'`. */
function script(source: string): ChildProcess & { readonly done: Promise<string> } {
  const resolved = source.replaceAll(
    /'\.\/([a-z0-9-]+\.mjs)'/g,
    (_, name: string) => `'${pathToFileURL(join(bootstrap, name)).href}'`,
  )
  const child = spawn(process.execPath, ['--input-type=module', '--eval', resolved], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.push(child)
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return Object.assign(child, { done: new Promise<string>(resolve => child.on('close', () => resolve(output))) })
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('waited 10 s in vain')
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

const provider = (make: string): string => `
  import { appendFileSync, writeFileSync } from 'node:fs'
  import { provide } from './cache.mjs'
  const made = await provide(${JSON.stringify(folder)}, 'tool-1', async draft => {
    appendFileSync(${JSON.stringify(join(folder, 'log'))}, 'made\\n')
    ${make}
    writeFileSync(draft + '/tool', 'whole')
  })
  console.log(made)`
const waits = 'await new Promise(resolve => setTimeout(resolve, 60_000))'

describe('the cache', () => {
  test('makes a folder once, however many set-ups want it at the same time', async () => {
    const outputs = await Promise.all([1, 2, 3].map(() => script(provider('')).done))
    for (const output of outputs) expect(output.trim().split('\n').at(-1)).toBe(join(folder, 'tool-1'))
    expect(readFileSync(join(folder, 'log'), 'utf8')).toBe('made\n')
    expect(readdirSync(folder).sort()).toEqual(['log', 'tool-1'])
  })

  test('has nothing half done after a set-up was killed, and the next one takes over', async () => {
    const killed = script(provider(waits))
    await until(() => existsSync(join(folder, 'log')))
    killed.kill('SIGKILL')
    await killed.done
    expect(existsSync(join(folder, 'tool-1'))).toBe(false)
    await script(provider('')).done
    expect(readdirSync(folder).sort()).toEqual(['log', 'tool-1'])
    expect(readFileSync(join(folder, 'tool-1/tool'), 'utf8')).toBe('whole')
  })

  test('keeps nothing of a set-up that failed', async () => {
    expect(await script(provider("throw new Error('no network')")).done).toContain('no network')
    expect(readdirSync(folder)).toEqual(['log'])
  })
})

describe('node_modules', () => {
  const isInstalled = async (wanted: object, installed: object | undefined): Promise<string> => {
    mkdirSync(join(folder, 'node_modules'), { recursive: true })
    writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ packages: wanted }))
    if (installed !== undefined)
      writeFileSync(join(folder, 'node_modules/.package-lock.json'), JSON.stringify({ packages: installed }))
    const source = `import { isInstalled } from './node-modules.mjs'\nconsole.log(isInstalled(${JSON.stringify(folder)}))`
    return (await script(source).done).trim()
  }
  const yaml = { 'node_modules/yaml': { version: '2.9.1' } }

  test.each([
    ['is up to date when what is installed is what the lock file wants', { '': {}, ...yaml }, yaml, 'true'],
    [
      'may lack a package of another platform',
      { ...yaml, 'node_modules/win': { version: '1.0.0', optional: true } },
      yaml,
      'true',
    ],
    ['is out of date when a version differs', { 'node_modules/yaml': { version: '2.9.2' } }, yaml, 'false'],
    ['is out of date when a package is missing', { ...yaml, 'node_modules/zod': { version: '4.0.0' } }, yaml, 'false'],
    ['is out of date when npm never finished', yaml, undefined, 'false'],
  ])('%s', async (_, wanted, installed, answer) => {
    expect(await isInstalled(wanted, installed)).toBe(answer)
  })
})

describe('the bootstrap', () => {
  const run = (args: readonly string[], env: Record<string, string> = {}) =>
    spawnSync(process.execPath, [join(root, 'packages/tooling/bootstrap.mjs'), ...args], {
      encoding: 'utf8',
      env: {
        PATH: `${dirname(process.execPath)}${delimiter}/usr/bin${delimiter}/bin`,
        HOME: folder,
        XDG_CACHE_HOME: folder,
        ...env,
      },
    })

  test('names its commands when it is asked for one that it has not', () => {
    const { status, stderr } = run(['tset'])
    expect(status).toBe(2)
    expect(stderr).toContain('unknown command "tset"')
    expect(stderr).toMatch(/^ {2}test +every check and every test$/m)
  })

  test('names a command whose entry exists for every script of package.json', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>
    }
    const wanted = Object.values(scripts).flatMap(text => /bootstrap\.mjs (\S+)/.exec(text)?.[1] ?? [])
    const { stderr } = run([])
    for (const command of wanted) expect(stderr).toMatch(new RegExp(`^  ${command} `, 'm'))
  })

  test('says what a wrong GPU_ACTIONS_PYTHON lacks instead of looking for another', () => {
    const python = join(folder, 'python')
    writeFileSync(python, '#!/bin/sh\necho "No module named torch"\nexit 1\n')
    chmodSync(python, 0o755)
    const { status, stderr } = run(['check'], { GPU_ACTIONS_PYTHON: python })
    expect(status).toBe(1)
    expect(stderr).toContain(`GPU_ACTIONS_PYTHON names ${python}, which does not import torch and pytest`)
    expect(stderr).toContain('No module named torch')
    expect(stderr).not.toMatch(/^ +at /m)
  })
})
