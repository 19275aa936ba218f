import { describe, expect, test } from '@jest/globals'
import { defineAction, input } from '@gpu-actions/action-kit'
import { faultsOfUses, yamlBlocks } from '../src/contracts/uses.ts'

const action = defineAction({
  name: 'provision-ec2-gpu',
  title: 'Provision',
  description: 'Provisions.',
  inputs: {
    'aws-region': input.text({ about: 'Region.', required: true }),
    ttl: input.duration({ about: 'Limit.', fallback: '45m' }),
  },
  outputs: {},
  post: true,
})
const surroundings = {
  definitions: new Map([['provision-ec2-gpu', action]]),
  workflows: new Set(['gpu-benchmark.yml']),
}
const faults = (yaml: string): readonly string[] => faultsOfUses(yaml, surroundings)

describe('faultsOfUses', () => {
  test('finds nothing wrong with an alias, known inputs and a pinned action', () => {
    const yaml = `jobs:
  one:
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
      - uses: org/gpu-actions/provision@v1
        with: { aws-region: us-west-2, ttl: 30m }
  two:
    uses: ./.github/workflows/gpu-benchmark.yml
    with: { anything: 1 }
`
    expect(faults(yaml)).toEqual([])
  })

  test('names an unknown input and a missing one', () => {
    expect(faults('- uses: org/gpu-actions/provision@v1\n  with: { region: x }')).toEqual([
      'org/gpu-actions/provision@v1: has no input "region"',
      'org/gpu-actions/provision@v1: needs the input "aws-region"',
    ])
  })

  test('names an action and a workflow that do not exist', () => {
    expect(faults('- uses: org/gpu-actions/nothing@v1\n- uses: ./.github/workflows/none.yml')).toEqual([
      'org/gpu-actions/nothing@v1: there is no such action',
      './.github/workflows/none.yml: there is no such workflow',
    ])
  })

  test('wants a full SHA and its version beside it', () => {
    expect(faults('- uses: actions/checkout@v7')).toEqual(['actions/checkout@v7: is not pinned to a full commit SHA'])
    const pinned = `actions/checkout@${'a'.repeat(40)}`
    expect(faults(`- uses: ${pinned}`)).toEqual([`${pinned}: has no comment that tells the version, such as # v1.2.3`])
  })

  test('tells that a text is no YAML', () => {
    expect(faults('- uses: "x')).not.toEqual([])
  })
})

test('yamlBlocks takes the YAML blocks of a page and no others', () => {
  expect(yamlBlocks('# A\n```yaml\na: 1\n```\ntext\n```sh\nls\n```\n```yml\nb: 2\n```\n')).toEqual(['a: 1\n', 'b: 2\n'])
})
