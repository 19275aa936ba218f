import type { Values } from '@gpu-actions/action-kit'
import type { Ec2Wish, ImageChoice } from '@gpu-actions/aws'
import type { action } from './action.ts'

export type ProvisionInputs = Values<typeof action.inputs>

function imageChoice(inputs: ProvisionInputs): ImageChoice {
  if (inputs.amiId !== undefined) return { by: 'id', id: inputs.amiId }
  if (inputs.amiSsmParameter !== undefined) return { by: 'parameter', name: inputs.amiSsmParameter }
  if (inputs.amiNameFilter !== undefined) return { by: 'name', pattern: inputs.amiNameFilter }
  return { by: 'default' }
}

/** The inputs in EC2's words. */
export const wishOf = (inputs: ProvisionInputs): Ec2Wish => ({
  instanceTypes: [...new Set(inputs.instanceType)],
  needs: {
    gpuCount: inputs.gpuCount,
    gpuModel: inputs.gpuModel,
    minGpuMemoryGib: inputs.minGpuMemory,
    minComputeCapability: inputs.minComputeCapability,
  },
  maxUsdPerHour: inputs.maxPricePerHour,
  image: imageChoice(inputs),
  subnetIds: [...new Set(inputs.subnetId ?? [])],
  securityGroupId: inputs.securityGroupId,
  instanceProfileName: inputs.instanceProfileName,
  volumeSizeGib: inputs.volumeSize,
  volumeType: inputs.volumeType,
  userData: inputs.userData,
  tags: inputs.tags ?? {},
  waitFor: inputs.waitFor,
})
