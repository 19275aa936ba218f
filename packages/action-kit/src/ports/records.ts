/** The run directory of one lease: where actions of one job leave their records for each other. */
export interface Records {
  /** The folder itself. */
  readonly path: string
  /** Writes a record atomically: a reader sees the old one or the new one, never half of it. */
  write(name: string, record: { readonly schema: string }): Promise<void>
  /** @returns the parsed JSON, or undefined when there is no such record */
  read(name: string): Promise<unknown>
  /** Appends to a log below `logs/`. */
  appendLog(name: string, text: string): Promise<void>
}
