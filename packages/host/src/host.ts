/**
 * A machine commands can be run on, whatever transport reaches it.
 *
 * Nothing that is passed in here is secret: over some transports scripts, arguments, environment values and output are
 * kept by the service and shown to everybody who may list commands. A secret travels as a parameter that the machine
 * itself may read, and its name is what a script carries.
 */
export interface Host {
  /** For logs: `i-0123456789abcdef0 over SSM`, `this machine`. */
  readonly name: string
  /**
   * Runs a short POSIX sh script and waits for its end. For what lasts or prints much there is `start`.
   * Not repeated when its reply is lost, unless the transport can tell that it never began.
   * @throws OutsideFault when the machine cannot be reached or the script ran past its time
   */
  run(script: string, options?: RunOptions): Promise<RunResult>
  /**
   * Starts a job that survives the caller. A lost reply does not start it twice.
   * @throws OutsideFault when it could not be started
   */
  start(job: HostJob): Promise<RunningJob>
  /** The job that another host object started, by its id; whether it exists shows when it is followed. */
  job(id: string): RunningJob
  /**
   * Puts a file on the machine, whole and verified by its SHA-256; it appears at once or not at all.
   * @param path absolute; missing folders are made
   * @throws OutsideFault when the file is too big for the transport, or did not arrive
   */
  upload(path: string, content: Uint8Array, options?: { readonly mode?: number }): Promise<void>
  /**
   * Brings a file home, whole and verified by its SHA-256.
   * @param path absolute
   * @throws OutsideFault when there is none, when it is too big for the transport, or when it changed under the reading
   */
  download(path: string): Promise<Uint8Array>
}

export interface RunOptions {
  /** How long the script may run, in milliseconds. Default 60,000. */
  readonly timeoutMs?: number
  /** Ends the script where the transport can, and the waiting in any case. */
  readonly signal?: AbortSignal
}

export interface RunResult {
  /** 128 + n when signal n ended the script. */
  readonly exitCode: number
  /** What it printed, stdout and stderr in order as far as the transport can tell; the first part when it was much. */
  readonly output: string
}

export interface HostJob {
  /** A word or two for logs and file names: letters, digits, dots, dashes. */
  readonly name: string
  /** Program and arguments, passed on as they are (no shell). Anything but NUL may be in them. */
  readonly command: readonly string[]
  /** Added to the machine's own environment. Not for secrets. */
  readonly environment?: Readonly<Record<string, string>>
  /** How long the job may run, in milliseconds; then it is ended with everything it started. */
  readonly timeoutMs: number
  /** Default: a folder of the job's own. */
  readonly workingDirectory?: string
}

export interface RunningJob {
  /** Enough to find the job again from another process. */
  readonly id: string
  /**
   * Hands over the output from its beginning, live, until the job ends. Output is untrusted text: whole UTF-8
   * sequences, control characters and all.
   * Aborting the signal ends the following (it rejects with the signal's reason), not the job.
   */
  follow(onOutput: (text: string) => void, options?: { readonly signal?: AbortSignal }): Promise<JobEnd>
  /** Ends the job with everything it started; resolves when nothing of it runs. Already ended is success. */
  cancel(): Promise<void>
}

export type JobEnd =
  | { readonly how: 'exited'; readonly exitCode: number }
  | { readonly how: 'timed-out' }
  | { readonly how: 'cancelled' }
  /** The job's end is not known and will not be: the machine was rebooted, or could not be reached for long. */
  | { readonly how: 'lost'; readonly reason: string }
