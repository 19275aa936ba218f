import { jest } from '@jest/globals'
import { describeProvider } from '../../lease/test/conformance/describe-provider.ts'
import { openEc2World } from './ec2-world.ts'

jest.setTimeout(60_000)

// Ids of EC2 never come round again.
describeProvider('EC2', () => openEc2World('on-demand'), ['reuseId', 'interrupt'])
describeProvider('EC2 with spot machines', () => openEc2World('spot'), ['reuseId'])
