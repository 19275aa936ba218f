import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { asRunner } from './fixtures/as-runner.ts'
import { hostileLines } from './fixtures/hostile-lines.ts'

const node = process.env['GPU_ACTIONS_NODE'] ?? process.execPath
const files = ['GITHUB_OUTPUT', 'GITHUB_STATE', 'GITHUB_STEP_SUMMARY', 'GITHUB_ENV'] as const

// Each test is a process or two, on a machine that may be busy.
jest.setTimeout(60_000)

let temp: string
beforeEach(async () => {
  temp = await mkdtemp(join(tmpdir(), 'run-action-'))
  await Promise.all(files.map(name => writeFile(join(temp, name), '')))
})
afterEach(() => rm(temp, { recursive: true, force: true }))

const file = (name: (typeof files)[number]): Promise<string> => readFile(join(temp, name), 'utf8')

/** Spawns a script as the runner does, with nothing else in its environment. */
function start(script: string, environment: Readonly<Record<string, string>> = {}) {
  const child = spawn(node, [fileURLToPath(new URL(`./fixtures/${script}`, import.meta.url))], {
    cwd: temp,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'] ?? '',
      GITHUB_REPOSITORY: 'org/consumer',
      GITHUB_RUN_ID: '42',
      GITHUB_RUN_NUMBER: '7',
      GITHUB_JOB: 'benchmark',
      RUNNER_TEMP: temp,
      ...Object.fromEntries(files.map(name => [name, join(temp, name)])),
      ...environment,
    },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = new Promise<{ code: number | null; signal: string | null; stdout: string; stderr: string }>(
    (resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
    },
  )
  const printed = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (stdout.includes(text)) resolve()
      }
      child.stdout.on('data', look)
      child.on('close', () => reject(new Error(`ended without printing ${text}: ${stdout}${stderr}`)))
      look()
    })
  return { child, ended, printed }
}

const action = (what: string, environment: Readonly<Record<string, string>> = {}) =>
  start('sample-action.ts', { INPUT_DO: what, ...environment })

describe('an action in a process of its own', () => {
  test('sets outputs and state through the files, and appends to the summary', async () => {
    const { code, stderr } = await action('outputs').ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const values = Object.fromEntries(
      [...(await file('GITHUB_OUTPUT')).matchAll(/^(.*?)<<(ghadelimiter_.*)\n([^]*?)\n\2$/gm)].map(found => [
        found[1],
        found[3],
      ]),
    )
    expect(values).toEqual({ 'lease-id': 'one\ntwo', cost: '0', known: 'false', missing: '' })
    expect(await file('GITHUB_STATE')).toContain('token<<')
    expect(await file('GITHUB_STEP_SUMMARY')).toBe('## First\n## Second\n')
    expect(await file('GITHUB_ENV')).toBe('')
  })

  test('masks secret inputs before anything else is printed, and keeps them out of the state', async () => {
    const { stdout } = await action('outputs', { INPUT_PASSWORD: 'canary-1' }).ended
    expect(stdout.split('\n')[0]).toBe('::add-mask::canary-1')
    expect(stdout.indexOf('::add-mask::made-up-secret')).toBeLessThan(stdout.indexOf('The password is'))
    expect(await file('GITHUB_STATE')).not.toContain('canary')
  })

  test('masks secret inputs even when other inputs are wrong', async () => {
    const { stdout, code } = await action('nonsense', { INPUT_PASSWORD: 'canary-2', INPUT_TTL: 'long' }).ended
    expect(code).toBe(1)
    expect(stdout.split('\n')[0]).toBe('::add-mask::canary-2')
    expect(asRunner(stdout).commands.map(command => command.name)).toEqual(['add-mask', 'error'])
    expect(stdout).toContain('2 inputs are wrong')
    expect(stdout).not.toContain('    at ')
  })

  test('names every variable of the runner that is missing', async () => {
    const { stdout, code } = await action('outputs', { GITHUB_RUN_ID: '', RUNNER_TEMP: '' }).ended
    expect(code).toBe(1)
    expect(stdout).toContain('GITHUB_RUN_ID is not set%0A- RUNNER_TEMP is not set')
  })

  test('fails when a text is thrown', async () => {
    const { stdout, code } = await action('throw-text').ended
    expect(code).toBe(1)
    expect(stdout).toContain('::error::This is a fault of gpu-actions itself: a plain text')
  })

  test('shows the stack of its own fault without obeying what is in it', async () => {
    const { stdout, code } = await action('crash').ended
    expect(code).toBe(1)
    const { commands, text } = asRunner(stdout)
    expect(commands.map(command => command.name)).toEqual(['error'])
    expect(text.join('\n')).toContain('sample-action.ts')
  })

  test.each(['SIGINT', 'SIGTERM'] as const)('is told to stop by %s and says that it was cancelled', async signal => {
    const { child, ended, printed } = action('wait')
    await printed('waiting')
    child.kill(signal)
    const { stdout, code } = await ended
    expect(code).toBe(1)
    expect(stdout).toContain(`::error::Cancelled: the runner sent ${signal}`)
    expect(stdout).not.toContain('fault of gpu-actions')
  })
})

describe('an OIDC token of the job', () => {
  const claims = (sub: string): string =>
    ['{"alg":"none"}', JSON.stringify({ sub, exp: 9_999_999_999 }), 'canary'].map(part => btoa(part)).join('.')

  test('is asked for with its audience, and masked', async () => {
    const asked: (string | undefined)[] = []
    const server = createServer((request, response) => {
      asked.push(request.url, request.headers.authorization)
      response.end(JSON.stringify({ value: claims('repo:org/consumer:ref:refs/heads/main') }))
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const { stdout, code } = await action('id-token', {
      ACTIONS_ID_TOKEN_REQUEST_URL: `http://127.0.0.1:${port}/token?api-version=2.0`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'canary-request',
    }).ended
    server.close()
    expect(code).toBe(0)
    expect(stdout).toContain('subject repo:org/consumer:ref:refs/heads/main')
    expect(stdout.indexOf('::add-mask::')).toBeLessThan(stdout.indexOf('subject'))
    expect(asked).toEqual(['/token?api-version=2.0&audience=sts.amazonaws.com', 'Bearer canary-request'])
  })

  test('without the permission fails with the line to add', async () => {
    const { stdout, code } = await action('id-token').ended
    expect(code).toBe(1)
    expect(stdout).toContain('permissions: id-token: write')
  })
})

describe('what a rented machine prints', () => {
  test('stays text, whatever it looks like', async () => {
    const { stdout, code } = await action('hostile').ended
    expect(code).toBe(0)
    const { commands, text } = asRunner(stdout)
    expect(commands.map(command => command.name)).toEqual(['warning', 'group', 'endgroup'])
    const shown = text.join('\n')
    for (const words of ['::set-output name=owned::yes', '##[error]owned', '␛[31mred', '::stop-commands::x']) {
      expect(shown).toContain(words)
    }
    expect(stdout.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u)
  })

  test('loses none of its lines', async () => {
    const { stdout } = await action('hostile').ended
    const { text, tokens } = asRunner(stdout)
    expect(text.filter(line => line.includes('fine so far'))).toHaveLength(6)
    expect(tokens.length).toBeGreaterThanOrEqual(hostileLines.length)
  })

  test('is set between tokens that never come twice and that nobody can guess', async () => {
    const { tokens } = asRunner((await action('hostile').ended).stdout)
    expect(new Set(tokens).size).toBe(tokens.length)
    for (const token of tokens) expect(token).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  })

  test('does not switch commands on again with the token of an earlier time', async () => {
    const [old = ''] = asRunner((await action('replay').ended).stdout).tokens
    const { commands, text } = asRunner((await action('replay', { OLD_TOKEN: old }).ended).stdout)
    expect(commands).toEqual([])
    expect(text).toContain(`::${old}::`)
  })
})

describe('post', () => {
  test('reads the state that main left', async () => {
    const { stdout, code } = await start('sample-post.ts', { STATE_token: '"ab\\ncd"' }).ended
    expect({ stdout, code }).toEqual({ stdout: 'state: "ab\\ncd"\n', code: 0 })
  })

  test('finds nothing when main saved nothing', async () => {
    expect((await start('sample-post.ts').ended).stdout).toBe('state: null\n')
  })

  test('reads inputs as they are when the job ends, secret ones masked before anything is printed', async () => {
    const { stdout, code } = await start('sample-late-post.ts', { INPUT_PASSWORD: 'canary-3', INPUT_USER: 'me' }).ended
    expect({ stdout, code }).toEqual({ stdout: '::add-mask::canary-3\nme has canary-3\n', code: 0 })
  })

  test('does not fail for inputs that are empty by then', async () => {
    const { stdout, code } = await start('sample-late-post.ts').ended
    expect({ stdout, code }).toEqual({ stdout: 'nobody has no password\n', code: 0 })
  })

  test.each(['{"half', '7'])('fails on the state %s, which it did not write', async state => {
    const { code, stdout } = await start('sample-post.ts', { STATE_token: state }).ended
    expect(code).toBe(1)
    expect(stdout).toContain('::error::')
  })
})

test('a writer that is killed leaves a whole record', async () => {
  const { child, ended } = action('write-forever')
  const record = join(temp, 'gpu-actions', 'lease', 'lease.json')
  const deadline = Date.now() + 20_000
  let round = 0
  while (round < 5 && Date.now() < deadline) {
    try {
      const { round: seen, end } = JSON.parse(await readFile(record, 'utf8')) as { round: number; end: number }
      expect(end).toBe(seen)
      round = seen
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOENT') throw error
    }
  }
  child.kill('SIGKILL')
  expect((await ended).signal).toBe('SIGKILL')
  const last = JSON.parse(await readFile(record, 'utf8')) as { round: number; end: number }
  expect(last.round).toBeGreaterThanOrEqual(5)
  expect(last.end).toBe(last.round)
})
