import { Hono } from 'hono'
import * as v from 'valibot'
import type { Cloud } from '../cloud.ts'
import { readFaults } from '../faults.ts'
import { contentOf } from '../github/routes.ts'
import { stateOf } from './state.ts'

const clockInput = v.strictObject({ advanceSeconds: v.pipe(v.number(), v.finite(), v.minValue(0)) })

const credentialsInput = v.strictObject({ expire: v.literal('sessions') })

/** The endpoints by which tests and people look into the cloud and move it. */
export function controlRoutes(cloud: Cloud): Hono {
  const app = new Hono()
  app.get('/_offline/state', context => context.json(stateOf(cloud)))
  app.get('/_offline/faults', context => context.json(cloud.faults.list()))
  app.post('/_offline/faults', async context => {
    const body: unknown = await context.req.json().catch(() => undefined)
    try {
      cloud.faults.add(readFaults(Array.isArray(body) ? body : [body]))
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause
      return context.json({ error: cause.message }, 400)
    }
    return context.json(cloud.faults.list())
  })
  app.delete('/_offline/faults', context => {
    cloud.faults.clear()
    return context.json([])
  })
  app.post('/_offline/clock', async context => {
    const body: unknown = await context.req.json().catch(() => undefined)
    const input = v.safeParse(clockInput, body)
    if (!input.success) return context.json({ error: 'wanted: {"advanceSeconds": a number of 0 or more}' }, 400)
    cloud.clock.advance(input.output.advanceSeconds * 1000)
    return context.json({ now: new Date(cloud.clock.now()).toISOString() })
  })
  app.post('/_offline/credentials', async context => {
    const body: unknown = await context.req.json().catch(() => undefined)
    if (!v.is(credentialsInput, body)) return context.json({ error: 'wanted: {"expire": "sessions"}' }, 400)
    cloud.sessions.expireAll(cloud.clock.now())
    return context.json({ expiredAt: new Date(cloud.clock.now()).toISOString() })
  })
  app.get('/_offline/artifacts/:name', context => {
    const name = context.req.param('name')
    const artifact = cloud.artifacts.list().findLast(candidate => candidate.name === name && candidate.isFinalized)
    if (artifact === undefined) return context.json({ error: `there is no artifact named ${name}` }, 404)
    context.header('Content-Type', artifact.mimeType)
    context.header('Content-Length', String(artifact.size))
    return context.body(contentOf(artifact))
  })
  return app
}
