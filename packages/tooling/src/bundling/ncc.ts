import { fork } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The part of ncc.config.js that ncc takes. */
export type NccSettings = Readonly<Record<string, unknown>>

interface Job {
  readonly entry: string
  readonly settings: NccSettings
  readonly output: string
}

interface Asset {
  readonly source: string | Uint8Array
}

type Ncc = (entry: string, settings: NccSettings) => Promise<{ code: string; assets: Readonly<Record<string, Asset>> }>

const self = fileURLToPath(import.meta.url)

/**
 * Bundles `entry` with ncc into the folder `output`, in a process of its own: ncc leaks hundreds of megabytes a build.
 * @throws Error with ncc's own words, which it prints to stderr
 */
export function bundleWithNcc(job: Job): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = fork(self, [JSON.stringify(job)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    child.on('error', reject)
    child.on('exit', code => (code === 0 ? resolve() : reject(new Error(`ncc failed with exit code ${String(code)}`))))
  })
}

async function work({ entry, settings, output }: Job): Promise<void> {
  const ncc = createRequire(import.meta.url)('@vercel/ncc') as Ncc
  const { code, assets } = await ncc(entry, settings)
  rmSync(output, { recursive: true, force: true })
  write(join(output, 'index.js'), code)
  for (const [path, { source }] of Object.entries(assets)) write(join(output, path), source)
}

function write(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
}

const [, main, job] = process.argv
if (main === self && job !== undefined) await work(JSON.parse(job) as Job)
