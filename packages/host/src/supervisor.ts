/**
 * The supervisor of one job, kept beside it on the machine: runs it in a session of its own, keeps its time limit, ends
 * whatever it started, and writes how it ended (`exited N`, `timed-out`, `cancelled`, `stopped`). What the job started
 * is found by its session, or by the mark in its environment when it left the session; only a process that does both,
 * leave the session and clear its environment, escapes, and where systemd holds the job that one is caught too.
 * Waits without waking up, so that it does not disturb what is measured.
 */
export const supervisor = `#!/bin/sh
# supervise run FOLDER SECONDS: runs the job. supervise end FOLDER: ends what is left of it when its supervisor died.
what=$1 job=$2 limit=$3
mark=GPU_ACTIONS_JOB=\${job##*/}

# Prints the process ids of all that the job started and that still runs.
members() {
  if [ ! -r /proc/self/stat ]; then
    ps -Ao pid=,pgid= | awk -v group="$main" '$2 == group { print $1 }'
    return
  fi
  for path in /proc/[0-9]*; do
    { read -r line <"$path/stat"; } 2>/dev/null || continue
    set -- \${line##*) } # state, parent, group, session
    [ "$1" != Z ] && [ "$4" = "$main" ] && echo "\${path#/proc/}"
  done
  grep -lsF "$mark" /proc/[0-9]*/environ | sed 's|/proc/||; s|/environ||'
}

# Asks all of it to end, waits up to five seconds, then kills what is left.
end_all() {
  left=$(members)
  [ -n "$left" ] && kill -s TERM $left 2>/dev/null
  try=0
  while left=$(members) && [ -n "$left" ] && [ "$try" -lt 50 ]; do
    [ "$try" -ge 25 ] && kill -s KILL $left 2>/dev/null
    try=$((try + 1))
    sleep 0.2
  done
}

finish() {
  echo "$*" >"$job/end.new" && mv "$job/end.new" "$job/end"
  exit 0
}

if [ "$what" = end ]; then
  main=$(cat "$job/main" 2>/dev/null)
  # After a reboot the number belongs to somebody else.
  [ "$(cat "$job/boot" 2>/dev/null)" = "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)" ] || main=none
  end_all
  [ -e "$job/end" ] || finish cancelled
  exit 0
fi

mkdir "$job/supervised" 2>/dev/null || exit 0
cat /proc/sys/kernel/random/boot_id >"$job/boot" 2>/dev/null
echo $$ >"$job/supervisor.new" && mv "$job/supervisor.new" "$job/supervisor"
[ -e "$job/cancel" ] && finish cancelled
stop=
trap 'stop=yes' TERM
session=setsid
command -v setsid >/dev/null || session='perl -MPOSIX -e setsid;exec(@ARGV)'

cd "$job/work" || finish stopped
env "$mark" $session /bin/sh "$job/command" </dev/null >>"$job/log" 2>&1 &
main=$!
echo $main >"$job/main"
(
  trap 'kill "$nap"; exit' TERM
  sleep "$limit" &
  nap=$!
  wait "$nap"
  : >"$job/timed-out"
  while kill -s TERM $$; do sleep 1; done
) >/dev/null 2>&1 &
timer=$!

[ -n "$stop" ] || wait "$main"
code=$?
how=$stop
end_all
kill -s TERM "$timer" 2>/dev/null
[ -z "$how" ] && finish exited "$code"
[ -e "$job/cancel" ] && finish cancelled
[ -e "$job/timed-out" ] && finish timed-out
finish stopped
`
