import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { imageAgentScript, parseAgentRecord, redact, type AgentRecord } from '../src/index.ts'
import { troubleIn } from '../src/diagnose.ts'

describe('Redaction', () => {
  const jwt = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl'
  test.each([
    [`token is ${jwt}!`, 'token is ***!'],
    ['Authorization: Bearer abcdefgh12345678', 'Authorization: Bearer ***'],
    ['X-Radix-One-Time-Token: ott_12', 'X-Radix-One-Time-Token: ***'],
    ['RADIX_ONE_TIME_TOKEN=ott_12345', 'RADIX_ONE_TIME_TOKEN=***'],
    ['{"cluster_token": "clt_12345"}', '{"cluster_token": "***"}'],
    ['key AKIAIOSFODNN7EXAMPLE', 'key ***'],
    ["aws_secret_access_key = 'wJalrXUtnFEMI/K7MDENG'", "aws_secret_access_key = '***'"],
    ['password: hunter2hunter2', 'password: ***'],
    ['-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nrest', '***\nrest'],
  ])('takes the secret out of %j', (text, left) => {
    expect(redact(text)).toBe(left)
  })

  test('leaves ordinary lines alone', () => {
    for (const line of [
      'HTTP 200 in 0.1 s',
      'token-exchanged: the one-time token became a cluster token',
      'GPU 0: NVIDIA A10G',
    ])
      expect(redact(line)).toBe(line)
  })

  test('takes out every given secret, wherever it stands', () => {
    const secret = fc.string({ minLength: 4, maxLength: 30 }).filter(text => !text.includes('*'))
    fc.assert(
      fc.property(fc.string(), secret, fc.string(), (before, middle, after) => {
        expect(redact(`${before}${middle}${after}${middle}`, [middle])).not.toContain(middle)
      }),
    )
  })
})

describe("The agent's log", () => {
  const line = (event: string, more = ''): string =>
    `{"at": "2026-01-01T00:00:00Z", "level": "info", "event": "${event}"${more}}`
  test('says why the agent has ended, and nothing while it runs', () => {
    const refused = line('token-refused', ', "reason": "the one-time token was not accepted"')
    expect(troubleIn('')).toBeNull()
    expect(troubleIn(line('agent-started'))).toBeNull()
    expect(troubleIn([line('agent-started'), refused, line('agent-ended')].join('\n'))).toBe(
      'the agent ended, because its token is refused: the one-time token was not accepted',
    )
    expect(troubleIn([refused, line('agent-ended'), line('agent-started')].join('\n'))).toBeNull()
    expect(troubleIn([line('agent-started'), line('agent-ended')].join('\n'))).toBe('the agent ended')
  })
})

describe('The container of the reference', () => {
  const agent = {
    image: 'iangreen74/radix-cluster-agent:latest',
    apiBase: 'https://api.example.com',
    clusterId: "c'1",
    tenantId: 't-1',
    parameter: { name: '/gpu-actions/l1/token', region: 'us-west-2' },
  }

  test('is started as the reference does, with everything that it is told in an env-file', () => {
    const script = imageAgentScript(agent)
    const command = script.slice(script.indexOf('docker run'))
    expect(command).toContain('docker run -d --name radix-agent --restart always $gpus')
    expect(command).toContain('-v /var/run/docker.sock:/var/run/docker.sock')
    expect(command).toContain('-v /var/lib/radix:/var/lib/radix --env-file "$variables"')
    expect(command.split(' ')).not.toContain('-e')
    expect(command).not.toContain('RADIX_')
    expect(script.indexOf('umask 077')).toBeLessThan(script.indexOf('mktemp'))
  })

  test('cannot be given a flag for an image, nor a line break for a value', () => {
    expect(() => imageAgentScript({ ...agent, image: '--privileged' })).toThrow(RangeError)
    expect(() => imageAgentScript({ ...agent, tenantId: 'a\nRADIX_API_BASE=x' })).toThrow(RangeError)
  })
})

describe('The record', () => {
  const record: AgentRecord = {
    schema: 'gpu-actions/agent@1',
    leaseId: '1-1-abcdefgh',
    host: 'i-0123456789abcdef0 over SSM',
    clusterName: 'ci-gpu-bench-1',
    clusterId: null,
    apiBase: 'https://api.example.com',
    apiHost: 'api.example.com',
    agent: 'reference',
    agentVersion: null,
    activationSeconds: null,
    status: 'registering',
    error: null,
    token: { kind: 'ssm-parameter', name: '/gpu-actions/l1/token', region: 'us-west-2' },
    jobId: null,
    startedAt: '2026-01-01T00:00:00.000Z',
    endedAt: null,
  }

  test('is read as it was written, and nothing else is', () => {
    expect(parseAgentRecord(JSON.parse(JSON.stringify(record)))).toEqual(record)
    expect(() => parseAgentRecord({ ...record, schema: 'gpu-actions/agent@2' })).toThrow('gpu-actions/agent@1')
    expect(() => parseAgentRecord({ ...record, activationSeconds: -1 })).toThrow('>=0')
  })
})
