import { appendFile, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { verifyManifest, writeManifest, type Manifest } from '../src/manifest.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'manifest-'))
  await mkdir(join(folder, 'logs'))
  await writeFile(join(folder, 'evidence.json'), '{}')
  await writeFile(join(folder, 'logs', 'host.log'), '')
})
afterEach(() => rm(folder, { recursive: true }))

const rewrite = async (change: (manifest: Manifest) => unknown): Promise<void> => {
  const path = join(folder, 'manifest.json')
  await writeFile(path, JSON.stringify(change(JSON.parse(await readFile(path, 'utf8')) as Manifest)))
}

test('the manifest holds size and SHA-256 of every other file', async () => {
  expect(await writeManifest(folder)).toEqual({
    schema: 'gpu-actions/manifest@1',
    files: [
      {
        path: 'evidence.json',
        size: 2,
        sha256: '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
      },
      {
        path: 'logs/host.log',
        size: 0,
        sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      },
    ],
  })
  expect(await verifyManifest(folder)).toEqual([])
})

test('written again it does not list itself', async () => {
  await writeManifest(folder)
  await writeManifest(folder)
  expect(await verifyManifest(folder)).toEqual([])
})

test('every kind of difference is named', async () => {
  await writeManifest(folder)
  await appendFile(join(folder, 'evidence.json'), ' ')
  await rename(join(folder, 'logs', 'host.log'), join(folder, 'logs', 'other.log'))
  expect(await verifyManifest(folder)).toEqual([
    'evidence.json was changed',
    'logs/host.log is missing',
    'logs/other.log is not in the manifest',
  ])
})

test('a change that keeps the size is seen', async () => {
  await writeManifest(folder)
  await writeFile(join(folder, 'evidence.json'), '[]')
  expect(await verifyManifest(folder)).toEqual(['evidence.json was changed'])
})

test.each(['../secret', '/etc/passwd', 'logs/../evidence.json', './evidence.json', 'logs\\host.log', ''])(
  'an entry for %j is refused',
  async path => {
    await writeManifest(folder)
    await rewrite(manifest => ({ ...manifest, files: [...manifest.files, { ...manifest.files[0], path }] }))
    expect(await verifyManifest(folder)).toEqual([`${path} is no path inside of the evidence`])
  },
)

test('an entry behind a link is refused', async () => {
  await writeManifest(folder)
  await symlink(join(folder, 'logs'), join(folder, 'linked'))
  await rewrite(manifest => ({ ...manifest, files: [...manifest.files, { ...manifest.files[1], path: 'linked/host.log' }] })) // prettier-ignore
  expect(await verifyManifest(folder)).toContain('linked/host.log is no path inside of the evidence')
})

test('an entry that comes twice is named', async () => {
  await writeManifest(folder)
  await rewrite(manifest => ({ ...manifest, files: [...manifest.files, manifest.files[0]] }))
  expect(await verifyManifest(folder)).toEqual(['evidence.json is listed twice'])
})

test.each(['', '{}', '{"schema":"gpu-actions/manifest@1","files":[{"path":"a","size":1,"sha256":"no"}]}'])(
  'the manifest %j proves nothing',
  async text => {
    await writeFile(join(folder, 'manifest.json'), text)
    expect((await verifyManifest(folder))[0]).toMatch(/^manifest.json cannot be read: /)
  },
)
