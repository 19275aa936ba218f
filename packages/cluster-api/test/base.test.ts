import { describe, expect, test } from '@jest/globals'
import { OutsideFault, systemClock, UserFault } from '@gpu-actions/action-kit/ports'
import { productionHosts, reachBase, readBase, type BaseRules } from '../src/index.ts'

const usual: BaseRules = { productionHosts, onProduction: 'warn' }
const pool = (region: string): string => `https://cognito-idp.${region}.amazonaws.com/${region}_POOL`

function check(base: string, rules: Partial<BaseRules> = {}): readonly string[] {
  const warnings: string[] = []
  readBase(base, { ...usual, ...rules }, { warning: words => void warnings.push(words) })
  return warnings
}

describe('The address of the API', () => {
  test.each([
    ['', 'no address'],
    ['api.example.com', 'no address'],
    ['ftp://api.example.com', 'no address'],
    ['https://user:secret@api.example.com', 'without user'],
    ['https://api.example.com/?x=1', 'query'],
    ['http://api.example.com', 'https://'],
    ['http://127.example.com', 'https://'],
  ])('%s is refused', (base, words) => {
    expect(() => check(base)).toThrow(UserFault)
    expect(() => check(base)).toThrow(words)
  })

  test.each([
    'https://api.dev.vaultscaler.com',
    'http://127.0.0.1:8080/cluster-api',
    'http://localhost/',
    'http://[::1]:3',
  ])('%s is taken', base => {
    expect(check(base)).toEqual([])
  })

  test('of production is a loud warning, or a refusal that says that nothing was created', () => {
    expect(check('https://API.vaultscaler.com')).toEqual([expect.stringContaining('PRODUCTION')])
    expect(() => check('https://api.vaultscaler.com/v0', { onProduction: 'refuse' })).toThrow('Nothing was created')
    expect(check('https://api.vaultscaler.com', { productionHosts: ['other.example.com'] })).toEqual([])
  })

  test('of an execute-api must be in the region of the token', () => {
    const base = 'https://abc123.execute-api.us-east-1.amazonaws.com/dev'
    expect(() => check(base, { issuer: pool('us-west-2') })).toThrow(/us-east-1.*us-west-2/)
    expect(check(base, { issuer: pool('us-east-1') })).toEqual([])
    expect(check(base)).toEqual([])
    expect(check('https://api.example.com', { issuer: pool('us-west-2') })).toEqual([])
  })
})

describe('Reaching the API', () => {
  const clock = { ...systemClock, sleep: () => Promise.resolve() }
  const answers = (...codes: readonly (number | Error)[]) => {
    const asked: string[] = []
    const left = [...codes]
    const fake = (url: unknown): Promise<Response> => {
      asked.push(String(url))
      const next = left.length > 1 ? left.shift() : left[0]
      if (next === undefined || next instanceof Error) return Promise.reject(next ?? new Error('nothing planned'))
      return Promise.resolve(new Response('', { status: next }))
    }
    return { asked, fetch: fake as typeof fetch }
  }

  test('looks at the name first', async () => {
    const { asked, fetch } = answers(200)
    const resolve = () => Promise.reject(Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' }))
    await expect(reachBase(new URL('https://api.example.com'), { clock, fetch, resolve })).rejects.toThrow(
      'The name api.example.com of the cluster API could not be resolved',
    )
    expect(asked).toEqual([])
  })

  test('takes any answer but a server error for health, below the path of the base', async () => {
    const resolve = () => Promise.resolve()
    for (const code of [200, 401, 404]) {
      const { asked, fetch } = answers(code)
      await reachBase(new URL('https://api.example.com/stage/'), { clock, fetch, resolve })
      expect(asked).toEqual(['https://api.example.com/stage/health'])
    }
  })

  test('tries again, and says in the end what was answered', async () => {
    const resolve = () => Promise.resolve()
    const url = new URL('https://api.example.com')
    await reachBase(url, { clock, fetch: answers(503, 503, new TypeError('fetch failed'), 200).fetch, resolve })
    const failed = reachBase(url, { clock, fetch: answers(503).fetch, resolve })
    await expect(failed).rejects.toThrow(OutsideFault)
    await expect(failed).rejects.toThrow('api.example.com is in trouble (503)')
  })

  test('needs no name service for an address', async () => {
    const { fetch } = answers(200)
    await reachBase(new URL('http://127.0.0.1:9'), { clock, fetch, resolve: () => Promise.reject(new Error('asked')) })
    expect.assertions(0)
  })
})
