import { appendFileSync } from 'node:fs'

// The credentials end with the job, as the real action does it: posts that were registered later have run by now.
for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN']) {
  appendFileSync(process.env.GITHUB_ENV, `${name}=\n`)
}
