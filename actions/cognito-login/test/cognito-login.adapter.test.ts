import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { appClients, cognito, startOfflineCloud, type OfflineCloud } from '@gpu-actions/offline-cloud'

jest.setTimeout(60_000)

const entry = join(import.meta.dirname, '../src/main.ts')

let cloud: OfflineCloud
let folder: string
beforeAll(async () => void (cloud = await startOfflineCloud({ python: null })))
afterAll(() => cloud.stop())
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'login-'))))
afterEach(async () => {
  await fetch(`${cloud.url}/_offline/faults`, { method: 'DELETE' })
  await rm(folder, { recursive: true, force: true })
})

interface Step {
  readonly exitCode: number | null
  /** Standard output, workflow commands included, and standard error behind it. */
  readonly printed: string
  readonly outputs: Readonly<Record<string, string>>
  /** Every file that the step has written or could have written, but for its outputs. */
  readonly files: Readonly<Record<string, string>>
  /** Command lines of the step and of every process below it, as the process table showed them while it ran. */
  readonly commandLines: readonly string[]
}

/** `name<<delimiter`, value, delimiter. */
const readOutputs = (text: string): Record<string, string> =>
  Object.fromEntries(
    [...text.matchAll(/^([^=<\n]+)<<(.+)\n([\s\S]*?)\n\2$/gm)].map(([, name = '', , value = '']) => [name, value]),
  )

const readProc = (pid: number, file: string): Promise<string> =>
  readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')

/** The process and all below it. */
async function family(pid: number): Promise<readonly number[]> {
  const children = (await readProc(pid, `task/${pid}/children`)).split(' ').filter(Boolean).map(Number)
  return [pid, ...(await Promise.all(children.map(family))).flat()]
}

async function filesBelow(path: string): Promise<Record<string, string>> {
  const found = await readdir(path, { recursive: true, withFileTypes: true })
  const files = found.filter(one => one.isFile()).map(one => join(one.parentPath, one.name))
  return Object.fromEntries(await Promise.all(files.map(async file => [file, await readFile(file, 'utf8')] as const)))
}

const right = {
  'user-pool-id': cognito.poolId,
  'client-id': appClients.ci.id,
  username: cognito.users.ci.email,
  password: cognito.users.ci.password,
}

/** Runs the action as the runner does: an empty folder, a clean environment, a process of its own. */
async function step(change: Readonly<Record<string, string>> = {}): Promise<Step> {
  const temp = join(folder, 'temp')
  await mkdir(temp, { recursive: true })
  const paths = Object.fromEntries(
    ['OUTPUT', 'STATE', 'ENV', 'PATH', 'STEP_SUMMARY'].map(name => [`GITHUB_${name}`, join(folder, name)]),
  )
  await Promise.all(Object.values(paths).map(path => writeFile(path, '')))
  const inputs = Object.entries({ ...right, ...change }).map(([id, text]) => [`INPUT_${id.toUpperCase()}`, text])
  const child = spawn(process.execPath, [entry], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'] ?? '',
      ...cloud.env,
      ...paths,
      GITHUB_REPOSITORY: 'org/consumer',
      GITHUB_RUN_ID: '7000001',
      GITHUB_RUN_NUMBER: '7',
      GITHUB_JOB: 'bench',
      RUNNER_TEMP: temp,
      ...(Object.fromEntries(inputs) as Record<string, string>),
    },
  })
  const printed = { out: '', err: '' }
  child.stdout.on('data', chunk => void (printed.out += String(chunk)))
  child.stderr.on('data', chunk => void (printed.err += String(chunk)))
  let exitCode: number | null | undefined
  const ended = new Promise<void>(resolve => {
    child.once('close', code => {
      exitCode = code
      resolve()
    })
  })
  const commandLines = new Set<string>()
  while (exitCode === undefined && child.pid !== undefined) {
    for (const pid of await family(child.pid)) commandLines.add(await readProc(pid, 'cmdline'))
    await Promise.race([ended, pause(5)])
  }
  await ended
  const outputs = readOutputs(await readFile(join(folder, 'OUTPUT'), 'utf8'))
  await rm(join(folder, 'OUTPUT'))
  return {
    exitCode: exitCode ?? null,
    printed: printed.out + printed.err,
    outputs,
    files: await filesBelow(folder),
    commandLines: [...commandLines].filter(line => line !== ''),
  }
}

/** What the runner shows: everything but the commands that hide a value. */
const shown = ({ printed }: Step): string =>
  printed
    .split('\n')
    .filter(line => !line.startsWith('::add-mask::'))
    .join('\n')

const masks = ({ printed }: Step): readonly string[] =>
  printed.split('\n').flatMap(line => (line.startsWith('::add-mask::') ? [line.slice('::add-mask::'.length)] : []))

/** Every place in which a secret must not be. */
const everywhere = (one: Step): string => [shown(one), ...Object.values(one.files), ...one.commandLines].join('\n')

describe('cognito-login', () => {
  test('gives the tokens, their end and the user to the steps that follow', async () => {
    const one = await step()
    expect(one).toMatchObject({ exitCode: 0, outputs: { subject: cognito.users.ci.sub } })
    expect(Object.keys(one.outputs).sort()).toEqual(['access-token', 'expires-at', 'id-token', 'subject'])
    const payload = one.outputs['id-token']?.split('.')[1] ?? ''
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>
    expect(claims).toMatchObject({ aud: appClients.ci.id, token_use: 'id', iss: cognito.issuer })
    expect(Date.parse(one.outputs['expires-at'] ?? '')).toBe(Number(claims['exp']) * 1000)
  })

  test('masks password and tokens before anything else is printed of them, and leaves them nowhere', async () => {
    const one = await step({ 'client-id': appClients.ciWithSecret.id, 'client-secret': appClients.ciWithSecret.secret })
    expect(one.exitCode).toBe(0)
    const secrets = [
      cognito.users.ci.password,
      appClients.ciWithSecret.secret,
      one.outputs['id-token'] ?? '',
      one.outputs['access-token'] ?? '',
    ]
    const hidden = masks(one)
    for (const secret of secrets) expect(hidden).toContain(secret)
    // The refresh token is masked as well, though no output holds it.
    expect(hidden.filter(text => text.split('.').length === 5)).toHaveLength(1)
    for (const secret of hidden) expect(everywhere(one)).not.toContain(secret)
    expect(one.commandLines.join()).toContain('main.ts')
    expect(JSON.stringify(cloud.state())).not.toContain(cognito.users.ci.password)
  })

  test('revokes the refresh token, unless told not to', async () => {
    const revoked = (): number => cloud.state().calls['cognito-idp:RevokeToken'] ?? 0
    const before = revoked()
    await step()
    expect(revoked()).toBe(before + 1)
    await step({ 'revoke-refresh-token': 'false' })
    expect(revoked()).toBe(before + 1)
  })

  test('needs no AWS credentials where the flow needs none', async () => {
    cloud.addFaults([{ kind: 'denied', operation: 'AdminInitiateAuth', count: null }])
    expect((await step({ 'auth-flow': 'USER_PASSWORD_AUTH' })).exitCode).toBe(0)
  })

  test.each<[string, Record<string, string>, string]>([
    ['a wrong password', { password: 'canary-Passw0rd-7391' }, 'the user name or the password is wrong'],
    ['a user who is not confirmed', { username: 'unconfirmed@example.com' }, 'the user was never confirmed'],
    ['a flow that is off', { 'client-id': appClients.noFlow.id }, 'is not enabled for app client'],
    ['a challenge', { username: 'new@example.com' }, 'NEW_PASSWORD_REQUIRED'],
    ['a second factor', { username: 'mfa@example.com' }, 'SMS_MFA'],
    ['a wrong region', { region: 'us-east-1' }, 'leave region empty'],
  ])('fails within seconds for %s, says what to do, and gives nothing away', async (_, change, words) => {
    const began = Date.now()
    const one = await step(change)
    expect(Date.now() - began).toBeLessThan(10_000)
    expect(one).toMatchObject({ exitCode: 1, outputs: {} })
    expect(shown(one)).toContain(words)
    expect(shown(one)).toContain('What to do: ')
    expect(shown(one)).not.toMatch(/^\s+at /m)
    const secrets = [...masks(one), change['password'] ?? cognito.users.ci.password]
    for (const secret of secrets) expect(everywhere(one)).not.toContain(secret)
  })

  test('says which permission the role lacks', async () => {
    cloud.addFaults([{ kind: 'denied', operation: 'AdminInitiateAuth', count: null }])
    const one = await step()
    expect(one.exitCode).toBe(1)
    expect(shown(one)).toContain('Allow cognito-idp:AdminInitiateAuth on the user pool us-west-2_OFFLINE01')
  })

  test('names all wrong inputs at once, calls nothing, and shows no password', async () => {
    const before = cloud.state().callLog.length
    const one = await step({
      'user-pool-id': 'my pool',
      'client-id': 'my client',
      'auth-flow': 'USER_SRP_AUTH',
      username: '',
      region: 'oregon',
      password: 'canary-Passw0rd-7391',
    })
    expect(one.exitCode).toBe(1)
    for (const id of ['user-pool-id', 'client-id', 'auth-flow', 'username', 'region']) {
      expect(shown(one)).toContain(`- ${id}: `)
    }
    expect(everywhere(one)).not.toContain('canary-Passw0rd-7391')
    expect(cloud.state().callLog).toHaveLength(before)
  })
})
