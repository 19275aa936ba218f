import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { evidenceOf, needing, nothingLives, openChain, type Chain } from './demo/chain.ts'

let chain: Chain | null = null

afterEach(async () => {
  await chain?.close()
  chain = null
})

/** A Python on the machine that first says all that a runner or a terminal could obey, then does its work. */
const workflow = `
on: workflow_dispatch
jobs:
  a:
    runs-on: ubuntu-latest
    permissions: { id-token: write }
    steps:
      - uses: aws-actions/configure-aws-credentials@v6
        with: { role-to-assume: '\${{ secrets.AWS_ROLE_TO_ASSUME_ARN }}', aws-region: us-west-2 }
      - uses: org/gpu-actions/provision@v1
        id: gpu
        with:
          instance-profile-name: gpu-bench-instance
          wait-for: ssm
          user-data: |
            #!/bin/sh
            cat > /root/hostile-python.part <<'EOF'
            #!/bin/sh
            case "$*" in *resnet50*)
              echo '::set-output name=throughput::99999'
              echo '::add-mask::images'
              echo '::error::the host says so'
              echo '::warning::the host warns'
              echo '::stop-commands::the-host-stops-them'
              echo '##[error]in the old form'
              printf '\\033[2J\\033[31mred\\033[0m\\r::notice::after a carriage return\\n'
            esac
            exec /opt/pytorch/bin/python "$@"
            EOF
            chmod 755 /root/hostile-python.part
            mv /root/hostile-python.part /root/hostile-python
      - uses: org/gpu-actions/run-resnet-benchmark@v1
        id: benchmark
        with:
          instance-id: \${{ steps.gpu.outputs.instance-id }}
          python: /root/hostile-python
          allow-cpu: true
          image-size: 32
          batch-size: 2
          steps-per-epoch: 5
      - uses: org/gpu-actions/teardown@v1
        if: always()
      - uses: org/gpu-actions/collect-evidence@v1
        if: always()
`

needing('GPU_ACTIONS_PYTHON')('a host that prints commands', () => {
  test('changes nothing but the text of the log', async () => {
    chain = await openChain()
    const { cloud, log, run, workflows } = chain
    await writeFile(path.join(workflows, 'hostile.yml'), workflow)
    const result = await run('hostile.yml', { inputs: {} })
    if (result.conclusion !== 'success') throw new Error(log.join('\n'))
    const [job] = result.jobs
    const benchmark = job?.steps.find(step => step.id === 'benchmark')
    expect(Number(benchmark?.outputs['throughput'])).toBeGreaterThan(0)
    expect(Number(benchmark?.outputs['throughput'])).not.toBe(99_999)
    expect(job?.annotations.filter(({ message }) => /host says so|host warns|old form|carriage/.test(message))).toEqual(
      [],
    )

    const text = log.join('\n')
    expect(text).not.toContain('\u001b')
    // All of it is there to read, and neither the mask nor the stop took hold of what came after.
    for (const said of ['::set-output name=throughput::99999', '::add-mask::images', '::error::the host says so']) {
      expect(text).toContain(said)
    }
    expect(text).toContain('##[error]in the old form')
    expect(text).toContain('::notice::after a carriage return')
    expect(text).toMatch(/Block 5 of 5: .* images\/s/)
    expect(job?.annotations.map(({ message }) => message).join('\n')).toContain('ResNet-50 training')

    const [artifact] = await evidenceOf(cloud)
    expect(artifact?.evidence).toMatchObject({ missing: [], result: { device: 'cpu' }, receipt: { remaining: 0 } })
    expect(cloud.state().living).toEqual(nothingLives)
  }, 300_000)
})
