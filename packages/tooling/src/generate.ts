import { pictureIsStale, picturePath, writePicture } from './check/picture.ts'
import { compareGenerated, writeGenerated } from './generate/generate.ts'

try {
  await (process.argv.includes('--check') ? check() : write())
} catch (error) {
  // What can go wrong here is a wrong definition or page; the message names it.
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

async function check(): Promise<void> {
  const { stale, faults } = await compareGenerated()
  const paths = [...stale.keys(), ...((await pictureIsStale()) ? [picturePath] : [])]
  report([...faults, ...paths.map(path => `${path} is out of date: run "npm run generate"`)])
}

async function write(): Promise<void> {
  const { stale, faults } = await writeGenerated()
  const written = [...stale.keys()]
  if (await pictureIsStale()) {
    await writePicture()
    written.push(picturePath)
  }
  console.log(written.length === 0 ? 'nothing was out of date' : written.join('\n'))
  report(faults)
}

function report(faults: readonly string[]): void {
  for (const fault of faults) console.error(fault)
  if (faults.length > 0) process.exitCode = 1
}
