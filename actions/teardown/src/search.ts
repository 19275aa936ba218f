import { messageOf, poll, type ActionContext } from '@gpu-actions/action-kit'
import { isFinal } from '@gpu-actions/aws'

type Asking = Pick<ActionContext<never, never>, 'clock' | 'log'>

/**
 * Asks again until there is an answer: a storm of throttling or a fault of the service must not keep a machine alive.
 * @throws what no repetition overcomes, or the last failure when the time is over
 */
export async function persist<T>({ clock, log }: Asking, deadline: number, ask: () => Promise<T>): Promise<T> {
  let failure: unknown
  const answer = await poll(
    clock,
    async () => {
      try {
        return { value: await ask() }
      } catch (error) {
        if (isFinal(error)) throw error
        if (failure === undefined) log.info(`${messageOf(error)}; asking again`)
        failure = error
        return undefined
      }
    },
    { firstMs: 1_000, maxMs: 10_000, deadline },
  )
  if (answer === undefined) throw failure
  return answer.value
}
