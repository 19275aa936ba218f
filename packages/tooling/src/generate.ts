import { pictureIsStale, picturePath, writePicture } from './check/picture.ts'
import { generatedFiles, writeGenerated } from './generate/generate.ts'

try {
  await (process.argv.includes('--check') ? check() : write())
} catch (error) {
  // What can go wrong here is a wrong definition or page; the message names it.
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

async function check(): Promise<void> {
  const stale = (await generatedFiles()).filter(file => file.stale).map(({ path }) => path)
  if (await pictureIsStale()) stale.push(picturePath)
  for (const path of stale) console.error(`${path} is out of date: run "npm run generate"`)
  if (stale.length > 0) process.exitCode = 1
}

async function write(): Promise<void> {
  const written = [...(await writeGenerated())]
  if (await pictureIsStale()) {
    await writePicture()
    written.push(picturePath)
  }
  console.log(written.length === 0 ? 'everything is up to date' : written.join('\n'))
}
