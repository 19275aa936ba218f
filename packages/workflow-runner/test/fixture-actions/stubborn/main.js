import { spawn } from 'node:child_process'

const started = Date.now()
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => console.log(`trace: ${signal} after ${Date.now() - started}`))
}
const child = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' })
console.log(`trace: child ${child.pid}`)
setInterval(() => {}, 1000)
