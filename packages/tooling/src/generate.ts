import { pictureIsStale, picturePath, writePicture } from './check/picture.ts'
import { generatedFiles, writeGenerated } from './generate/generate.ts'

if (process.argv.includes('--check')) {
  const stale = (await generatedFiles()).filter(file => file.stale).map(({ path }) => path)
  if (await pictureIsStale()) stale.push(picturePath)
  for (const path of stale) console.error(`${path} is out of date: run "npm run generate"`)
  process.exitCode = stale.length === 0 ? 0 : 1
} else {
  const written = [...(await writeGenerated())]
  if (await pictureIsStale()) {
    await writePicture()
    written.push(picturePath)
  }
  console.log(written.length === 0 ? 'everything is up to date' : written.join('\n'))
}
