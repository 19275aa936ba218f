import { AwsError, invalidValue } from '../aws/errors.ts'
import { at, flag, list, text, type QueryNode } from '../aws/query.ts'
import type { ImageData } from '../world/images.ts'
import type { VolumePlan } from './model.ts'

const volumeTypes = ['gp3', 'gp2', 'io1', 'io2', 'st1', 'sc1', 'standard']

/** The volumes of a launch: the image's root, changed and added to by `BlockDeviceMapping.N`. Sizes in GiB. */
export function readVolumePlans(node: QueryNode, image: ImageData): readonly VolumePlan[] {
  const plans = new Map<string, VolumePlan>([[image.rootDevice, rootPlan(image)]])
  for (const mapping of list(node, 'BlockDeviceMapping')) {
    const device = text(mapping, 'DeviceName') ?? ''
    if (!/^\/dev\/(sd|xvd)[a-z]+[0-9]*$/.test(device))
      throw new AwsError('InvalidBlockDeviceMapping', `Invalid device name '${device}'`)
    if (mapping.children.has('NoDevice')) plans.delete(device)
    else if (mapping.children.has('Ebs')) plans.set(device, readPlan(at(mapping, 'Ebs'), device, plans.get(device)))
  }
  return [...plans.values()]
}

const rootPlan = (image: ImageData): VolumePlan => ({
  device: image.rootDevice,
  sizeGb: image.rootGb,
  type: 'gp3',
  iops: 3000,
  throughput: 125,
  encrypted: false,
  snapshot: image.snapshot,
  deleteOnTermination: true,
})

function readPlan(ebs: QueryNode, device: string, base: VolumePlan | undefined): VolumePlan {
  const number = (name: string): number | undefined => {
    const given = text(ebs, name)
    if (given === undefined) return undefined
    const value = Number(given)
    if (!Number.isInteger(value) || value < 1) throw invalidValue(`Value (${given}) for parameter ${name} is invalid.`)
    return value
  }
  const type = text(ebs, 'VolumeType') ?? base?.type ?? 'gp2'
  if (!volumeTypes.includes(type)) throw invalidValue(`Value (${type}) for parameter volumeType is invalid.`)
  const sizeGb = number('VolumeSize') ?? base?.sizeGb
  if (sizeGb === undefined)
    throw new AwsError('MissingParameter', 'The request must contain the parameter size or snapshotId')
  if (base?.snapshot !== undefined && sizeGb < base.sizeGb)
    throw new AwsError(
      'InvalidBlockDeviceMapping',
      `Volume of size ${sizeGb}GB is smaller than snapshot '${base.snapshot}', expect size >= ${base.sizeGb}GB`,
    )
  const isGp3 = type === 'gp3'
  return {
    device,
    sizeGb,
    type,
    iops: number('Iops') ?? (isGp3 ? 3000 : undefined),
    throughput: number('Throughput') ?? (isGp3 ? 125 : undefined),
    encrypted: flag(ebs, 'Encrypted') ?? base?.encrypted ?? false,
    snapshot: base?.snapshot,
    // A mapping that names a device of the image keeps the image's own setting unless it says otherwise.
    deleteOnTermination: flag(ebs, 'DeleteOnTermination') ?? base?.deleteOnTermination ?? true,
  }
}
