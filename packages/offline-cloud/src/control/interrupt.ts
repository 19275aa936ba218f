import { Hono } from 'hono'
import * as v from 'valibot'
import type { Cloud } from '../cloud.ts'
import { interrupt } from '../ec2/interruption.ts'

const input = v.strictObject({
  instanceId: v.string(),
  noticeSeconds: v.exactOptional(v.pipe(v.number(), v.finite(), v.minValue(0))),
  reason: v.exactOptional(v.picklist(['no-capacity', 'by-price'])),
})

const wanted = 'wanted: {"instanceId", "noticeSeconds"?: a number of 0 or more, "reason"?: "no-capacity" or "by-price"}'

/** `POST /_offline/interrupt`: EC2 wants a running spot instance back. */
export function interruptRoutes(cloud: Cloud): Hono {
  const app = new Hono()
  app.post('/_offline/interrupt', async context => {
    const body: unknown = await context.req.json().catch(() => undefined)
    const given = v.safeParse(input, body)
    if (!given.success) return context.json({ error: wanted }, 400)
    const { instanceId, noticeSeconds = cloud.timings.spotNoticeSeconds, reason = 'no-capacity' } = given.output
    const instance = cloud.ec2.instances.get(instanceId)
    if (instance === undefined) return context.json({ error: `there is no instance ${instanceId}` }, 404)
    if (!interrupt(cloud, instance, noticeSeconds, `instance-terminated-${reason}`))
      return context.json({ error: `${instanceId} is not a running spot instance without a notice` }, 409)
    const { noticeAt, endsAt } = instance.interruption ?? { noticeAt: 0, endsAt: 0 }
    return context.json({ noticeAt: new Date(noticeAt).toISOString(), endsAt: new Date(endsAt).toISOString() })
  })
  return app
}
