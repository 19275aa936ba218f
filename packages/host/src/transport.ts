import type { RunOptions, RunResult } from './host.ts'

/**
 * What reaches a machine: it runs short scripts there. `hostOver` makes a whole host of it, so that every transport
 * has the same detached jobs and the same verified file transfer.
 *
 * The scripts of `hostOver` may be sent again when a reply is lost: each does the same when it runs twice.
 */
export interface Transport {
  /** For logs: `i-0123456789abcdef0 over SSM`. */
  readonly name: string
  /**
   * Runs a POSIX sh script and waits for its end.
   * @throws OutsideFault when the machine cannot be reached or the script ran past its time
   */
  run(script: string, options?: RunOptions): Promise<TransportResult>
  /**
   * The same for a script that reads these bytes from its standard input, to their end. Absent where the transport
   * carries none: a file then travels within scripts.
   */
  readonly feed?: (script: string, input: Uint8Array, options?: RunOptions) => Promise<TransportResult>
  readonly limits: {
    /** Longest script, in bytes of UTF-8. */
    readonly scriptBytes: number
    /** How much of a script's output comes back, in bytes of ASCII. */
    readonly outputBytes: number
    /** Biggest file, either way, in bytes. */
    readonly fileBytes: number
  }
  /** Where jobs and half-sent files lie on the machine: a word of sh, such as `"$HOME/.cache/gpu-actions"`. */
  readonly folder: string
  /** Whether systemd units may hold jobs. They do not inherit the environment of the caller. */
  readonly units: boolean
  readonly pace: Pace
  /** How often a script of `hostOver` is sent again after a failure that may pass; absent where `run` does it itself. */
  readonly resends?: number
  /** Whether a failure may pass by itself (a machine that does not answer just now), so that looking again has sense. */
  mayPass(failure: unknown): boolean
}

export interface TransportResult extends RunResult {
  /** How many calls of a metered service it took; absent when they do not count. */
  readonly calls?: number
}

/** How often a running job is looked at. */
export interface Pace {
  /** From one look to the next in the life of a young job, in milliseconds; then half of the job's age. */
  readonly firstMs: number
  /** The longest time from one look to the next in the first five minutes, in milliseconds; later up to a third longer. */
  readonly maxMs: number
  /** Time that each metered call of a look pays for, in milliseconds, once looks are `maxMs` apart. */
  readonly msPerCall: number
  /** How long a machine may be out of reach before its job counts as lost, in milliseconds. */
  readonly patienceMs: number
}
