import { spawnSync } from 'node:child_process'
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { parseAllDocuments } from 'yaml'
import { codeSpans, faultsOfLinks, readPage, type CodeBlock } from '../src/contracts/pages.ts'
import { isQuoted, isSaid, sentencesOf } from '../src/contracts/sentences.ts'
import { root } from '../src/repository.ts'

const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const pages = globSync(['*.md', 'docs/**/*.md', 'actions/*/README.md', 'packages/*/README.md'], { cwd: root }).sort()
const blocksOf = (page: string, ...languages: readonly string[]): readonly CodeBlock[] =>
  readPage(read(page)).blocks.filter(({ language }) => languages.includes(language))
const withBlocks = (...languages: readonly string[]): readonly string[] =>
  pages.filter(page => blocksOf(page, ...languages).length > 0)

test.each(['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'docs/aws-setup.md', 'docs/troubleshooting.md'])(
  '%s is among the pages that are looked at',
  page => {
    expect(pages).toContain(page)
  },
)

test.each(pages)('the links in %s lead to files and headings that are there', page => {
  expect(faultsOfLinks(page, { exists: path => existsSync(join(root, path)), read })).toEqual([])
})

test.each(withBlocks('sh', 'bash'))('the commands in %s are commands to bash', page => {
  const faults = blocksOf(page, 'sh', 'bash').flatMap(({ line, text }) => {
    const { status, stderr } = spawnSync('bash', ['--norc', '-n'], { input: text, encoding: 'utf8' })
    // What bash only warns of, such as a here-document without an end, is said on standard error alone.
    return status === 0 && stderr === '' ? [] : [`line ${line}: ${stderr}`]
  })
  expect(faults).toEqual([])
})

test.each(withBlocks('yaml', 'yml'))('the YAML in %s is YAML', page => {
  const faults = blocksOf(page, 'yaml', 'yml').flatMap(({ line, text }) =>
    parseAllDocuments(text).flatMap(({ errors, warnings }) =>
      [...errors, ...warnings].map(({ message }) => `line ${line}: ${message}`),
    ),
  )
  expect(faults).toEqual([])
})

describe('the policies in docs/iam', () => {
  const folder = 'docs/iam'
  const policies = readdirSync(join(root, folder)).sort()
  /** What docs/aws-setup.md puts in place of what, in its order. */
  const replacements = [...read('docs/aws-setup.md').matchAll(/\bs#([^#\n]+)#\$\{?(\w+)\}?#g?/g)].map(
    ([, placeholder = '', variable = '']) => ({ placeholder, variable }),
  )
  /** A policy as it is after these replacements. */
  const replaced = (text: string): string =>
    replacements.reduce((done, { placeholder, variable }) => done.replaceAll(placeholder, `<${variable}>`), text)

  test.each(policies)('%s is JSON, with a statement', policy => {
    expect(JSON.parse(read(`${folder}/${policy}`))).toMatchObject({
      Version: '2012-10-17',
      Statement: expect.arrayContaining([expect.objectContaining({ Effect: 'Allow' })]),
    })
  })

  test('aws-setup.md replaces account, repository and region, and every placeholder stands in a policy', () => {
    expect(replacements.map(({ variable }) => variable)).toEqual(
      expect.arrayContaining(['ACCOUNT', 'REPOSITORY', 'AWS_REGION']),
    )
    const all = policies.map(policy => replaced(read(`${folder}/${policy}`))).join('\n')
    expect(replacements.filter(({ variable }) => !all.includes(`<${variable}>`))).toEqual([])
  })

  test('workflow-role.json allows every call whose permission the suite names, and no other', () => {
    const sources = globSync('packages/aws/src/**/*.ts', { cwd: root }).map(read).join('\n')
    const named = new Set(
      [...sources.matchAll(/['"`]((?:ec2|ssm|pricing|servicequotas|cognito-idp):[A-Z]\w+)['"`]/g)].map(
        ([, name]) => name,
      ),
    )
    // Looking for what is left is named in parts.
    for (const [, operation] of sources.matchAll(/looking\('[\w ]+', '(Describe\w+)'\)/g)) named.add(`ec2:${operation}`)
    const { Statement: statements } = JSON.parse(read(`${folder}/workflow-role.json`)) as {
      readonly Statement: readonly { readonly Action: string | readonly string[] }[]
    }
    const allowed = new Set(statements.flatMap(({ Action }) => Action))
    expect([...named].filter(name => name !== undefined && !allowed.has(name))).toEqual([])
    // What no call is named after: AWS asks for these when another call is made.
    const implied = ['ec2:CreateTags', 'iam:PassRole', 'ssm:AddTagsToResource']
    const isSent = (name: string): boolean =>
      new RegExp(`\\b(?:${name.split(':')[1]}Command|paginate${name.split(':')[1]})\\b`).test(sources)
    expect([...allowed].filter(name => !isSent(name) && !implied.includes(name))).toEqual([])
  })

  test.each(policies)('in %s nothing that belongs to one account is left after that', policy => {
    const left = replaced(read(`${folder}/${policy}`)).match(
      new RegExp(
        [
          String.raw`\b\d{12}\b`,
          String.raw`\b[a-z]{2}(?:-[a-z]+)+-\d\b`,
          String.raw`"repo:(?!<\w+>:)[^"]*`,
          String.raw`gpu-actions:repository": "(?!<\w+>")[^"]*`,
          String.raw`userpool/(?!<\w+>")[^"]*`,
          String.raw`\b(?:i|ami|subnet|sg|vpc)-[0-9a-f]{8,17}\b`,
        ].join('|'),
        'g',
      ),
    )
    expect(left).toBeNull()
  })
})

describe('docs/troubleshooting.md', () => {
  const page = read('docs/troubleshooting.md')
  const suite = globSync(['actions/*/src/**/*.ts', 'packages/*/{src,programs,agent}/**/*.{ts,py}'], { cwd: root })
    .filter(path => !/^packages\/(offline-cloud|workflow-runner|tooling)\//.test(path))
    .map(path => ({ path, source: read(path) }))
  const all = suite.map(({ source }) => source).join('\n')
  /** What its tables of symptoms quote: the first cells, in the words of the suite. */
  const quoted = page
    .split(/^(?=\| it says|\| code)/m)
    .slice(1)
    .flatMap(
      table =>
        table
          .split(/\n(?!\|)/)[0]
          ?.split('\n')
          .slice(2) ?? [],
    )
    .flatMap(row => codeSpans(row.split(' | ')[0] ?? ''))

  test.each(quoted)('%s is what the suite says', sentence => {
    const parts = sentence.split('…').filter(part => /\w{2}/.test(part))
    const unsaid = parts.filter(part => !isSaid(part.trim(), all))
    expect(unsaid).toEqual([])
  })

  const spans = readPage(page).prose.flatMap(codeSpans)
  const sentences = suite.flatMap(({ path, source }) => sentencesOf(source).map(text => ({ path, text })))

  test.each(sentences)('tells what to do when $path says: $text', ({ text }) => {
    expect(isQuoted(text, spans)).toBe(true)
  })
})
