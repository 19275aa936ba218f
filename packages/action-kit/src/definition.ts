import type { Input } from './inputs.ts'
import { UserFault } from './ports/faults.ts'

type Camel<S extends string> = S extends `${infer Head}-${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S

export type Inputs = Readonly<Record<string, Input<unknown>>>
/** Output id → what it holds. */
export type Outputs = Readonly<Record<string, string>>

/** The values of an action's inputs under their camel-case names. */
export type Values<I extends Inputs> = {
  readonly [K in keyof I & string as Camel<K>]: I[K] extends Input<infer T> ? T : never
}

/** An action, written down once: action.yml, README tables and types derive from it. */
export interface ActionDefinition<I extends Inputs = Inputs, O extends Outputs = Outputs> {
  /** The folder below `actions/`, and the path in `uses:`. */
  readonly name: string
  /** The title shown in the Actions view. */
  readonly title: string
  /** One sentence. */
  readonly description: string
  readonly inputs: I
  readonly outputs: O
  /** Has a post entry (`src/post.ts`), which runs when the job ends, however it ends. */
  readonly post: boolean
  /** Faults of combinations, each a sentence that names the inputs; run after every single input has been read. */
  readonly check?: (values: Values<I>) => readonly string[]
}

/** Gives a definition its exact type. */
export const defineAction = <const I extends Inputs, const O extends Outputs>(
  definition: ActionDefinition<I, O>,
): ActionDefinition<I, O> => definition

const camel = (id: string): string => id.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())

/**
 * Reads all inputs of an action.
 * @param raw gives the text of an input, empty when it was not given
 * @throws UserFault that lists every fault of every input
 */
export function readInputs<I extends Inputs, O extends Outputs>(
  definition: ActionDefinition<I, O>,
  raw: (id: string) => string,
): Values<I> {
  const faults: string[] = []
  const values: Record<string, unknown> = {}
  for (const [id, input] of Object.entries(definition.inputs)) {
    const given = raw(id).trim() || input.fallback
    if (given === undefined || given === '') {
      if (input.required) faults.push(`${id}: is required`)
      continue
    }
    try {
      values[camel(id)] = input.parse(given)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      faults.push(`${id}: ${error.message}${input.secret ? '' : `, not '${given}'`}`)
    }
  }
  if (faults.length === 0) faults.push(...(definition.check?.(values as Values<I>) ?? []))
  if (faults.length > 0) {
    const count = faults.length === 1 ? 'one input is wrong' : `${faults.length} inputs are wrong`
    throw new UserFault(`${definition.name}: ${count}, nothing was done`, faults)
  }
  return values as Values<I>
}
