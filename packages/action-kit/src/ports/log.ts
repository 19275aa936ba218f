/** Where an action tells what it does. Messages are sentences that a stranger can follow. */
export interface Log {
  debug(message: string): void
  info(message: string): void
  /** An annotation on the run's page. */
  notice(message: string): void
  warning(message: string): void
  error(message: string): void
  /** Folds what `work` logs under a title. */
  group<T>(title: string, work: () => Promise<T>): Promise<T>
  /** Text that a rented machine printed: shown as it is, never obeyed as a workflow command. */
  untrusted(text: string): void
}
