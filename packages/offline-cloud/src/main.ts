import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { parse } from 'yaml'
import { readScenario, startOfflineCloud } from './index.ts'

const usage = 'usage: offline-cloud [--port N] [--scenario FILE] [--python PATH]'

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { port: { type: 'string' }, scenario: { type: 'string' }, python: { type: 'string' } },
  })
  const port = Number(values.port ?? '0')
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new RangeError(`--port: not a port: ${values.port}`)
  const scenario =
    values.scenario === undefined ? {} : readScenario(parse(await readFile(values.scenario, 'utf8')) ?? {})
  const cloud = await startOfflineCloud({
    port,
    scenario,
    ...(values.python === undefined ? {} : { python: values.python }),
  })
  process.stdout.write(`${JSON.stringify({ url: cloud.url, env: cloud.env, clusterApi: cloud.clusterApi })}\n`)
  const stop = (): void => {
    process.off('SIGTERM', stop).off('SIGINT', stop)
    void cloud.stop().then(() => process.exit(0))
  }
  process.on('SIGTERM', stop).on('SIGINT', stop)
}

try {
  await main()
} catch (cause) {
  const message = cause instanceof Error ? cause.message : String(cause)
  process.stderr.write(`offline-cloud: ${message}\n${usage}\n`)
  process.exitCode = 1
}
