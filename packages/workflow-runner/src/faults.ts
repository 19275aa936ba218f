/** A place in a file that a person can open. Lines count from 1. */
export interface Place {
  readonly file: string
  readonly line: number
}

/** Every fault of the workflow, its inputs or its actions, told at once. Nothing has run when this is thrown. */
export class WorkflowFault extends Error {
  override readonly name = 'WorkflowFault'
  readonly faults: readonly string[]
  constructor(faults: readonly string[]) {
    super(
      faults.length === 1 ? (faults[0] ?? '') : `${faults.length} faults:\n${faults.map(f => `  - ${f}`).join('\n')}`,
    )
    this.faults = faults
  }
}

export const at = (place: Place, message: string) => `${place.file}:${place.line}: ${message}`

/** A part of GitHub Actions that this runner does not have: refused by name, never ignored. */
export const unsupported = (place: Place, what: string) => at(place, `${what} is not supported by this runner`)
