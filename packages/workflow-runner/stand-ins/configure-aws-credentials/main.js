import { randomUUID } from 'node:crypto'
import { appendFileSync } from 'node:fs'

const input = name => (process.env[`INPUT_${name.toUpperCase()}`] ?? '').trim()

const escape = text => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')

const write = (file, name, value) => {
  const delimiter = `ghadelimiter_${randomUUID()}`
  appendFileSync(process.env[file], `${name}<<${delimiter}\n${value}\n${delimiter}\n`)
}

async function idToken(audience) {
  const url = process.env.ACTIONS_ID_TOKEN_REQUEST_URL
  const token = process.env.ACTIONS_ID_TOKEN_REQUEST_TOKEN
  if (!url || !token) {
    throw new Error(
      'This job gets no OIDC token: it needs `permissions: id-token: write`, and so does a workflow that calls it.',
    )
  }
  const separator = url.includes('?') ? '&' : '?'
  const reply = await fetch(`${url}${separator}audience=${encodeURIComponent(audience)}`, {
    headers: { authorization: `Bearer ${token}`, accept: 'application/json' },
  })
  if (!reply.ok) throw new Error(`The OIDC token was refused: ${reply.status} ${await reply.text()}`)
  const { value } = await reply.json()
  console.log(`::add-mask::${escape(value)}`)
  return value
}

async function assumeRole(token) {
  const endpoint = process.env.AWS_ENDPOINT_URL_STS ?? process.env.AWS_ENDPOINT_URL
  if (!endpoint) throw new Error('AWS_ENDPOINT_URL is not set: this stand-in never talks to the real service.')
  const reply = await fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      Action: 'AssumeRoleWithWebIdentity',
      Version: '2011-06-15',
      RoleArn: input('role-to-assume'),
      RoleSessionName: input('role-session-name'),
      DurationSeconds: input('role-duration-seconds'),
      WebIdentityToken: token,
    }),
  })
  const xml = await reply.text()
  const field = name => new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? ''
  if (!reply.ok) throw new Error(`Could not assume role with OIDC: ${field('Message') || `${reply.status} ${xml}`}`)
  return {
    key: field('AccessKeyId'),
    secret: field('SecretAccessKey'),
    session: field('SessionToken'),
    arn: field('Arn'),
  }
}

try {
  const missing = ['aws-region', 'role-to-assume'].filter(name => input(name) === '')
  if (missing.length > 0) throw new Error(`Input required and not supplied: ${missing.join(', ')}`)
  const credentials = await assumeRole(await idToken(input('audience')))
  for (const secret of [credentials.key, credentials.secret, credentials.session]) {
    console.log(`::add-mask::${escape(secret)}`)
  }
  const account = credentials.arn.split(':')[4] ?? ''
  if (input('mask-aws-account-id') === 'true') console.log(`::add-mask::${account}`)
  write('GITHUB_ENV', 'AWS_REGION', input('aws-region'))
  write('GITHUB_ENV', 'AWS_DEFAULT_REGION', input('aws-region'))
  write('GITHUB_ENV', 'AWS_ACCESS_KEY_ID', credentials.key)
  write('GITHUB_ENV', 'AWS_SECRET_ACCESS_KEY', credentials.secret)
  write('GITHUB_ENV', 'AWS_SESSION_TOKEN', credentials.session)
  write('GITHUB_OUTPUT', 'aws-account-id', account)
  console.log(`Authenticated as ${credentials.arn}`)
} catch (error) {
  console.log(`::error::${escape(error.message)}`)
  process.exitCode = 1
}
