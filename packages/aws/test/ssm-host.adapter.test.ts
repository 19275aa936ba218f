import { ssmHost, waitForRegistration } from '../src/ssm/index.ts'
import { describeHost } from '../../host/test/conformance.ts'
import { hastyClock, startRig } from './ssm-fixture.ts'

describeHost(
  'SSM',
  async () => {
    const rig = await startRig({ scenario: { timings: { consistencySeconds: 0.05, deliverySeconds: 0.02 } } })
    const target = rig.target(hastyClock)
    await waitForRegistration(target, { deadline: Date.now() + 30_000, diagnose: () => Promise.resolve('') })
    return {
      host: ssmHost(target),
      again: () => ssmHost(rig.target(hastyClock)),
      folder: '/var/lib/trial',
      stop: () => rig.cloud.stop(),
    }
  },
  { testMs: 90_000, whileSeconds: 3, fileBytes: 1024 * 1024, muchBytes: 1_000_000 },
)
