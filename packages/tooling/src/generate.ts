import { generatedFiles, writeGenerated } from './generate/generate.ts'

if (process.argv.includes('--check')) {
  const stale = (await generatedFiles()).filter(file => file.stale)
  for (const { path } of stale) console.error(`${path} is not what its definition says: run "npm run generate"`)
  process.exitCode = stale.length === 0 ? 0 : 1
} else {
  const written = await writeGenerated()
  console.log(written.length === 0 ? 'everything is up to date' : written.join('\n'))
}
