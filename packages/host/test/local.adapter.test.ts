import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@gpu-actions/action-kit/ports'
import { localHost } from '../src/index.ts'
import { describeHost } from './conformance.ts'

const quiet = { warning: () => {}, debug: () => {} }

describeHost(
  'this machine',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "gpu-actions it's-"))
    // Test scripts name this one without quotes.
    const files = await mkdtemp(join(tmpdir(), 'gpu-actions-files-'))
    const make = () =>
      localHost({
        clock: systemClock,
        log: quiet,
        environment: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
        directory: join(folder, 'kept here'),
      })
    return {
      host: make(),
      again: make,
      folder: files,
      stop: async () => {
        for (const path of [folder, files]) await rm(path, { recursive: true, force: true })
      },
    }
  },
  { testMs: 120_000, whileSeconds: 1, muchBytes: 50_000_000 },
)
