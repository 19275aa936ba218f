import { Hono } from 'hono'
import { answerAws } from './aws/gateway.ts'
import type { Cloud } from './cloud.ts'
import { clusterRoutes } from './cluster/routes.ts'
import { interruptRoutes } from './control/interrupt.ts'
import { controlRoutes } from './control/routes.ts'
import { cutReply, type Bindings } from './cut.ts'
import { signingKeys } from './cognito/signing-keys.ts'
import { githubRoutes } from './github/routes.ts'
import { metadataRoutes } from './metadata/routes.ts'

/** Where the cluster API is. */
export const clusterApiPath = '/cluster-api'

/** The whole cloud as one HTTP application. `requestToken` is the bearer token of the OIDC endpoint. */
export function createApp(cloud: Cloud, requestToken: string): Hono<{ Bindings: Bindings }> {
  const app = new Hono<{ Bindings: Bindings }>({ strict: false })
  app.use(async (context, next) => {
    await next()
    // Clients read the service's time from here, so it is the cloud's.
    context.header('Date', new Date(cloud.clock.now()).toUTCString())
  })
  app.route('/', controlRoutes(cloud))
  app.route('/', interruptRoutes(cloud))
  app.route('/', githubRoutes(cloud, requestToken))
  app.route('/', metadataRoutes(cloud))
  app.route(clusterApiPath, clusterRoutes(cloud))
  app.get('/:pool/.well-known/jwks.json', context => {
    const reply = signingKeys(cloud, context.req.param('pool'))
    return context.json(reply.body, reply.status)
  })
  app.post('/', async context => {
    const request = { header: (name: string) => context.req.header(name), body: await context.req.text() }
    const reply = await answerAws(cloud, request)
    if (reply === null) return cutReply(context)
    return new Response(reply.body, {
      status: reply.status,
      headers: { 'Content-Type': reply.contentType, 'x-amzn-RequestId': reply.requestId },
    })
  })
  app.notFound(context =>
    context.json({ error: `the offline cloud does not cover ${context.req.method} ${context.req.path}` }, 501),
  )
  app.onError((error, context) => {
    process.stderr.write(`offline cloud: ${error.stack ?? error.message}\n`)
    return context.json({ error: `a fault of the offline cloud itself: ${error.message}` }, 500)
  })
  return app
}
