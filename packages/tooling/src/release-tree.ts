import { join } from 'node:path'
import { layReleaseTree, releaseTreePath, sizeOf } from './release/release-tree.ts'
import { root } from './repository.ts'

try {
  const paths = layReleaseTree(root)
  const megabytes = (sizeOf(join(root, releaseTreePath)) / 1e6).toFixed(2)
  console.log(`${releaseTreePath}/: ${paths.join(', ')} (${megabytes} MB)`)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
