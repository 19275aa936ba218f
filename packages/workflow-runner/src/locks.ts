/** A place in the queue of a concurrency group. */
export interface Turn {
  /** True when the group was free at once. */
  readonly free: boolean
  readonly entered: Promise<void>
  /** Aborted when a later one took its place: a group without `queue: max` keeps a single one waiting. */
  readonly displaced: AbortSignal
  readonly leave: () => void
}

/** Concurrency groups among the jobs of one run. Runs beside it do not exist here, so nobody else holds a group. */
export interface Locks {
  enter(group: string, queue: 'single' | 'max'): Turn
}

interface Waiting {
  readonly start: () => void
  readonly displace: AbortController
}

export function createLocks(): Locks {
  const groups = new Map<string, Waiting[]>()
  return {
    enter(group, queue) {
      // GitHub compares the names of groups without regard to case.
      const key = group.toLowerCase()
      const line = groups.get(key) ?? []
      groups.set(key, line)
      const free = line.length === 0
      const displace = new AbortController()
      let start = () => {}
      const entered = new Promise<void>(resolve => {
        start = resolve
      })
      const me: Waiting = { start, displace }
      if (queue === 'single') for (const other of line.splice(1)) other.displace.abort()
      line.push(me)
      if (free) start()
      const leave = () => {
        const index = line.indexOf(me)
        if (index < 0) return
        line.splice(index, 1)
        if (index === 0) line[0]?.start()
      }
      return { free, entered, displaced: displace.signal, leave }
    },
  }
}
