import { UserFault, type Values } from '@gpu-actions/action-kit'
import type { Ec2Wish, ImageChoice } from '@gpu-actions/aws'
import type { action } from './action.ts'

export type ProvisionInputs = Values<typeof action.inputs>

/** What is rented when nothing at all says what to rent. */
const usualType = 'g5.2xlarge'

function imageChoice(inputs: ProvisionInputs): ImageChoice {
  if (inputs.amiId !== undefined) return { by: 'id', id: inputs.amiId }
  if (inputs.amiSsmParameter !== undefined) return { by: 'parameter', name: inputs.amiSsmParameter }
  if (inputs.amiNameFilter !== undefined) return { by: 'name', pattern: inputs.amiNameFilter }
  return { by: 'default' }
}

/** @throws UserFault without any region */
export function regionsOf(inputs: ProvisionInputs, environmentRegion: string | undefined): readonly string[] {
  const given = [...new Set(inputs.awsRegion ?? [])]
  if (given.length > 0) return given
  if (environmentRegion !== undefined) return [environmentRegion]
  throw new UserFault('provision-ec2-gpu: one input is wrong, nothing was done', [
    'aws-region: is required, because neither AWS_REGION nor AWS_DEFAULT_REGION is set',
  ])
}

/** The inputs in EC2's words. */
export function wishOf(inputs: ProvisionInputs, regions: readonly string[]): Ec2Wish {
  const needs = {
    gpuCount: inputs.gpuCount,
    gpuModel: inputs.gpuModel,
    minGpuMemoryGib: inputs.minGpuMemory,
    minComputeCapability: inputs.minComputeCapability,
  }
  const given = [...new Set(inputs.instanceType ?? [])]
  const needsNothing = Object.values(needs).every(need => need === undefined)
  return {
    regions,
    instanceTypes: given.length === 0 && needsNothing ? [usualType] : given,
    needs,
    market: inputs.market,
    reservationId: inputs.capacityReservationId,
    strategy: inputs.strategy,
    ttlMs: inputs.ttl,
    budgetUsd: inputs.budget,
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
  }
}
