import { appendFileSync } from 'node:fs'

const { INPUT_NAME: name, GITHUB_STATE: state } = process.env
appendFileSync(state, `from-pre=${name}\n`)
console.log(`trace: pre ${name}`)
