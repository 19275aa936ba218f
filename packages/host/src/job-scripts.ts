import type { HostJob } from './host.ts'
import { execScript, quote } from './shell.ts'
import { supervisor } from './supervisor.ts'

/** Where a job lies on its machine. */
export interface JobPlace {
  readonly id: string
  /** A word of sh: the folder of the transport. */
  readonly folder: string
}

const intro = (place: JobPlace): string => `jobs=${place.folder}/jobs
job=$jobs/${quote(place.id)}`

const alive = `alive() {
  { read -r pid <"$job/supervisor"; } 2>/dev/null || return 1
  kill -0 "$pid" 2>/dev/null || return 1
  # The number may belong to another process by now.
  [ ! -r "/proc/$pid/cmdline" ] || grep -qsF "$job" "/proc/$pid/cmdline"
}`

/**
 * Starts a job once, however often it is sent: whoever makes the job's folder starts it. A systemd unit holds it where
 * there is systemd (its control group is killed as a whole), else a session of its own.
 * @throws RangeError for a command that sh cannot carry
 */
export function startScript(place: JobPlace, job: HostJob, units: boolean): string {
  const seconds = Math.max(0.1, job.timeoutMs / 1000)
  const unit = `if [ -d /run/systemd/system ] && [ "$(id -u)" = 0 ] && systemd-run --quiet --collect --unit=${quote(`gpu-actions-${place.id}`)} \\
  -p KillMode=control-group -p TimeoutStopSec=20 -p RuntimeMaxSec=${Math.ceil(seconds) + 60} \\
  --setenv=HOME="\${HOME:-/root}" --setenv=PATH="$PATH" /bin/sh "$job/supervise" run "$job" ${seconds} 2>/dev/null; then
  exit 0
fi
`
  return `${intro(place)}
mkdir -p "$jobs" || exit
mkdir -m 700 "$job" 2>/dev/null || { [ -d "$job" ]; exit; }
set -e
mkdir "$job/work"
: >"$job/log"
cat >"$job/command" <<'end of ${place.id}'
${execScript(job)}
end of ${place.id}
cat >"$job/supervise" <<'end of ${place.id}'
${supervisor}
end of ${place.id}
${units ? unit : ''}session=setsid
command -v setsid >/dev/null || session='perl -MPOSIX -e setsid;exec(@ARGV)'
$session /bin/sh "$job/supervise" run "$job" ${seconds} </dev/null >/dev/null 2>&1 &
`
}

/**
 * One look at a job: how it stands, and what it printed from an offset on, as much as fits into a reply.
 * @param offset bytes of its output that are already known
 * @param sizes how many bytes to try, the most first; the last must fit even when it cannot be compressed
 * @param replyBytes the longest body that a reply can carry
 */
export function lookScript(place: JobPlace, offset: number, sizes: readonly number[], replyBytes: number): string {
  return `${intro(place)}
${alive}
[ -d "$job" ] || { echo 'look: missing 0'; exit 0; }
state() {
  how=starting
  { read -r how <"$job/end"; } 2>/dev/null && return
  { read -r pid <"$job/supervisor"; } 2>/dev/null || return
  how=running
  boot='' now=''
  { read -r boot <"$job/boot" && read -r now </proc/sys/kernel/random/boot_id; } 2>/dev/null
  [ "$boot" = "$now" ] || { how=rebooted; return; }
  alive && return
  how=dead
  { read -r how <"$job/end"; } 2>/dev/null
}
state
size=$(($(wc -c <"$job/log")))
echo "look: $how $size"
[ "$size" -gt ${offset} ] || exit 0
for bytes in ${sizes.join(' ')}; do
  body=$(tail -c +${offset + 1} "$job/log" | head -c "$bytes" | gzip -c | base64 | tr -d '\\n')
  [ "\${#body}" -le ${replyBytes} ] && break
done
echo "$body"
`
}

/** Ends a job with everything it started, and waits for that; one that has not begun will not begin. */
export function cancelScript(place: JobPlace): string {
  return `${intro(place)}
${alive}
mkdir -p "$jobs" || exit
mkdir -m 700 "$job" 2>/dev/null && { : >"$job/log"; echo cancelled >"$job/end"; exit; }
: >"$job/cancel"
try=0
while [ ! -e "$job/end" ] && [ "$try" -lt 80 ]; do
  if alive; then kill -s TERM "$pid"; elif [ "$try" -gt 8 ]; then break; fi
  try=$((try + 1))
  sleep 0.25
done
[ -e "$job/end" ] || /bin/sh "$job/supervise" end "$job"
`
}
