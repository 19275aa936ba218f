import { join } from 'node:path'
import artifact from '@actions/artifact'
import { context } from '@actions/github'
import { messageOf } from '@gpu-actions/action-kit'
import type { ArtifactStore } from './collect.ts'

/** The library keeps the status of a refusal only in its text: `Failed request: (409) Conflict`. */
const conflict = /\(409\)/

/** Artifacts of this run on GitHub. */
export const githubArtifacts: ArtifactStore = {
  async upload({ name, folder, files, retentionDays }) {
    try {
      const paths = files.map(file => join(folder, file))
      const { id, digest } = await artifact.uploadArtifact(name, paths, folder, { retentionDays })
      if (id === undefined || digest === undefined) throw new Error('the answer names neither id nor digest')
      return { id, digest }
    } catch (error) {
      if (conflict.test(messageOf(error))) return 'taken'
      throw error
    }
  },
}

/** The newest commit of the pull request that this run is for; `GITHUB_SHA` is its merge with the target branch. */
export function pullRequestHead(): string | null {
  const head: unknown = context.payload.pull_request?.['head']
  return typeof head === 'object' && head !== null && 'sha' in head && typeof head.sha === 'string' ? head.sha : null
}
