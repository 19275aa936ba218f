import { appendFileSync } from 'node:fs'

const { INPUT_NAME: name, INPUT_DO: wish, INPUT_STATUS: status, GITHUB_STATE, GITHUB_OUTPUT } = process.env
appendFileSync(GITHUB_STATE, `from-main=${name}\n`)
appendFileSync(GITHUB_OUTPUT, `value=${name}${name}\n`)
console.log(`trace: main ${name} ${status}`)
if (wish === 'fail') process.exitCode = 1
if (wish === 'die') process.kill(process.pid, 'SIGKILL')
if (wish === 'hang') setInterval(() => {}, 1000)
