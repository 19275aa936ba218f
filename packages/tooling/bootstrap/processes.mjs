import { spawn } from 'node:child_process'
import { accessSync, constants, realpathSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * Runs a program to its end. Its output is kept, not shown: set-up steps run side by side.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, report?: (line: string) => void, timeoutMs?: number }} [options]
 * @returns {Promise<{ ok: boolean, output: string, stdout: string }>} `output` is stdout and stderr as they came; it tells why a program could not be started too
 */
export function run(program, args, options = {}) {
  return new Promise(resolve => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.timeoutMs,
    })
    let output = ''
    let stdout = ''
    const take = (/** @type {Buffer} */ bytes) => {
      output += bytes
      const line = String(bytes).trim().split('\n').at(-1)?.trim()
      if (line) options.report?.(line)
    }
    child.stdout.on('data', bytes => {
      stdout += bytes
      take(bytes)
    })
    child.stderr.on('data', take)
    child.on('error', error => resolve({ ok: false, output: error.message, stdout }))
    child.on('close', (code, signal) => {
      resolve({ ok: code === 0, output: signal ? `${output}\n${program} was ended by ${signal}` : output, stdout })
    })
  })
}

/** The last lines of a program's output: enough to see why it failed. */
export function tail(/** @type {string} */ output, lines = 12) {
  return output.trim().split('\n').slice(-lines).join('\n')
}

/**
 * Every executable of one of these names on the PATH, in its order, each real file once.
 *
 * @param {readonly string[]} names
 * @returns {string[]}
 */
export function onPath(names) {
  const seen = new Set()
  const found = []
  for (const folder of (process.env.PATH ?? '').split(delimiter).filter(Boolean)) {
    for (const name of names) {
      const path = join(folder, name)
      if (!isExecutable(path) || seen.has(realpathSync(path))) continue
      seen.add(realpathSync(path))
      found.push(path)
    }
  }
  return found
}

function isExecutable(/** @type {string} */ path) {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
