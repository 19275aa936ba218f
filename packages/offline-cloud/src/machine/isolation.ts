import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

/**
 * How a machine is kept apart from this computer.
 *
 * - `mapped`: we are root. Real root makes the mounts, then the guest gets a user namespace whose ids (also its root)
 *   have no rights here.
 * - `user`: an ordinary user with user namespaces. The guest's root is that user, without the right to change mounts.
 * - `none`: no namespaces (macOS, some containers). Only the suite's own scripts run.
 */
export type Way = 'mapped' | 'user' | 'none'

const NAMESPACES = ['--mount', '--pid', '--fork', '--kill-child', '--ipc', '--uts']
/** What the guest's own root needs; `unshare` alone may succeed where a security module then forbids every mount. */
const TRIAL = ['sh', '-c', 'mount -t proc proc /proc && mount -t tmpfs tmpfs /tmp && unshare --user true']

function works(command: readonly string[]): boolean {
  const [program = '', ...words] = command
  return spawnSync(program, words, { stdio: 'ignore', timeout: 10_000 }).status === 0
}

/** Whether this process is root over all ids, not only over those that a container was given. */
function isFullRoot(): boolean {
  if (process.getuid?.() !== 0) return false
  const [inside, outside, count] = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/).map(Number)
  return inside === 0 && outside === 0 && (count ?? 0) > 0xffff_0000
}

/** The command in front of the supervisor's; empty without namespaces. */
export function namespaceCommand(way: Way): readonly string[] {
  if (way === 'none') return []
  const unshare = ['unshare', ...(way === 'user' ? ['--user', '--map-root-user'] : []), ...NAMESPACES]
  // Should the supervisor be stuck and not see its input end, the kernel ends unshare with us, and that all the rest.
  return existsSync('/usr/bin/setpriv') ? ['setpriv', '--pdeathsig', 'KILL', ...unshare] : unshare
}

function probe(): Way {
  if (process.platform !== 'linux') return 'none'
  const ways: readonly Way[] = isFullRoot() ? ['mapped', 'user'] : ['user']
  return ways.find(way => works([...namespaceCommand(way), ...TRIAL])) ?? 'none'
}

/** Found out once, when this module is loaded (some 20 ms). */
export const way: Way = probe()

/** What this computer allows: with `none` only parts with our own mark run (README.md beside this file). */
export const isolation: 'namespaces' | 'none' = way === 'none' ? 'none' : 'namespaces'

/** The system's Python rather than one of the user's: its folders are the ones machines see anyway. */
export const systemPython: string = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3'
