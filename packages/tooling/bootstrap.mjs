// What every npm script calls: sets up what the command needs, then runs it under Node 24.
// No syntax newer than Node 12 in this file, so that an old Node says what is wrong instead of failing to parse.
const version = process.versions.node

if (Number(version.split('.')[0]) < 20) {
  console.error(
    `gpu-actions sets itself up with Node 20 or newer, and this is Node ${version}. Install a newer Node (https://nodejs.org) and run the same command again.`,
  )
  process.exit(1)
}

void import('./bootstrap/main.mjs').then(({ main }) => main(process.argv.slice(2)))
