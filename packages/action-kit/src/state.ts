import * as core from '@actions/core'

/**
 * One value that an action's main leaves for its own post. It is plain text on the runner's disk: never a secret.
 * Written at once and kept by the runner even when the step is killed right after.
 */
export interface StateSlot<T> {
  save(value: T): void
  /** @returns undefined when main saved nothing */
  load(): T | undefined
}

/** @param parse checks what was read back and gives it its type; throws when it is something else */
export const stateSlot = <T>(name: string, parse: (value: unknown) => T): StateSlot<T> => ({
  save: value => core.saveState(name, JSON.stringify(value)),
  load: () => {
    const saved = core.getState(name)
    return saved === '' ? undefined : parse(JSON.parse(saved))
  },
})
