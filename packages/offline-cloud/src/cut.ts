import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Context } from 'hono'

/** What the server gives to a handler beside the request. */
export type Bindings = HttpBindings

/** Cuts the connection instead of answering: what was asked for is done, but the caller never hears of it. */
export function cutReply(context: Context<{ Bindings: Bindings }>): Response {
  context.env.incoming.socket.destroy()
  return RESPONSE_ALREADY_SENT
}
