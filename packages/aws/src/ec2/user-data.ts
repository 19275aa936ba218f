import { createHash } from 'node:crypto'
import { UserFault } from '@gpu-actions/action-kit/ports'

/** EC2's limit, before base64. */
export const userDataLimit = 16_384

const seconds = (ms: number): number => Math.floor(ms / 1000)
/** `2026-11-22 18:45:00 UTC`, as systemd.time(7) reads it. */
const calendar = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`

/** The units of the guest's time limit, by file name. */
export function timeLimitUnits(expiresAt: number): Readonly<Record<string, string>> {
  return {
    'gpu-actions-limit.timer': `[Unit]
Description=gpu-actions: guest time limit
DefaultDependencies=no

[Timer]
OnCalendar=${calendar(expiresAt)}
AccuracySec=1s

[Install]
WantedBy=timers.target
`,
    // Without default dependencies, so that the shutdown that it orders does not stop it before its last line.
    'gpu-actions-limit.service': `[Unit]
Description=gpu-actions: ends this machine, by force a minute later
DefaultDependencies=no

[Service]
Type=oneshot
TimeoutStartSec=infinity
ExecStart=-/usr/bin/systemctl --no-block poweroff
ExecStart=/bin/sleep 60
ExecStart=/usr/bin/systemctl --force --force poweroff
`,
  }
}

/**
 * Runs in cloud-init's earliest stage, on every boot. Arms the end of the machine before anything can fail; a reboot
 * arms it again for the same moment, and past that moment the machine ends at once.
 */
export function timeLimitBoothook(expiresAt: number): string {
  const files = Object.entries(timeLimitUnits(expiresAt))
    .map(([name, text]) => `cat >/etc/systemd/system/${name} <<'END'\n${text}END\n`)
    .join('')
  return `#!/bin/sh
# gpu-actions: guest time limit
deadline=${seconds(expiresAt)}
if [ -d /run/systemd/system ]; then
${files}systemctl daemon-reload
systemctl enable gpu-actions-limit.timer
systemctl --no-block start gpu-actions-limit.timer
[ "$(date +%s)" -lt "$deadline" ] || systemctl --no-block start gpu-actions-limit.service
elif ! kill -0 "$(cat /run/gpu-actions-limit.pid 2>/dev/null)" 2>/dev/null; then
nohup sh -c 'while [ "$(date +%s)" -lt '"$deadline"' ]; do sleep 5; done
poweroff || shutdown -h now; sleep 60; poweroff -f' >/dev/null 2>&1 &
echo $! >/run/gpu-actions-limit.pid
fi
# An upgrade in the first minutes can replace half of the driver.
if [ -d /etc/apt/apt.conf.d ]; then
printf '%s\\n' 'APT::Periodic::Enable "0";' 'APT::Periodic::Unattended-Upgrade "0";' >/etc/apt/apt.conf.d/99-gpu-actions
fi
if [ -d /run/systemd/system ] && command -v apt-get >/dev/null; then
systemctl mask apt-daily.timer apt-daily-upgrade.timer unattended-upgrades.service
systemctl --no-block stop apt-daily.timer apt-daily-upgrade.timer unattended-upgrades.service
fi
exit 0
`
}

/** What cloud-init calls the kinds of user data, by their first line. */
const kinds: readonly (readonly [RegExp, string])[] = [
  [/^#!/, 'text/x-shellscript'],
  [/^#cloud-config-archive/, 'text/cloud-config-archive'],
  [/^#cloud-config/, 'text/cloud-config'],
  [/^#cloud-boothook/, 'text/cloud-boothook'],
  [/^#include-once/, 'text/x-include-once-url'],
  [/^#include/, 'text/x-include-url'],
  [/^#part-handler/, 'text/part-handler'],
  [/^## template: ?jinja/, 'text/jinja2'],
]

const ownMultipart = /^(MIME-Version:|Content-Type: ?multipart\/)/i

/** A part in the form that MIME asks for. Beyond ASCII it must be base64: cloud-init garbles parts of 8 bits. */
function part(contentType: string, name: string, content: string): string {
  const isAscii = Buffer.byteLength(content) === content.length
  const base64 = (): string => Buffer.from(content).toString('base64').replace(/.{76}/g, '$&\n')
  return `Content-Type: ${contentType}; charset="utf-8"
MIME-Version: 1.0
Content-Transfer-Encoding: ${isAscii ? '7bit' : 'base64'}
Content-Disposition: attachment; filename="${name}"

${isAscii ? content : base64()}`
}

/** @throws UserFault when cloud-init would not know what it is */
function callersPart(userData: string): string {
  const content = userData.replace(/\r\n?/g, '\n')
  if (ownMultipart.test(content)) return content
  const kind = kinds.find(([start]) => start.test(content))
  if (kind === undefined) {
    throw new UserFault(
      "user-data: its first line must say what it is, such as '#!/bin/bash' or '#cloud-config'; cloud-init would ignore it",
    )
  }
  return part(kind[1], 'user-data', content)
}

/**
 * The user data of a launch: the time limit first, then what the caller gave. The same input gives the same bytes,
 * because a repeated launch must be the same call.
 * @param expiresAt milliseconds since the epoch
 * @throws UserFault when it is more than EC2 takes, or of no kind that cloud-init knows
 */
export function makeUserData(expiresAt: number, own: string | undefined): string {
  const parts = [part('text/cloud-boothook', 'gpu-actions-limit', timeLimitBoothook(expiresAt))]
  if (own !== undefined && own.trim() !== '') parts.push(callersPart(own.trimStart()))
  const boundary = `==gpu-actions-${createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 24)}==`
  const text = [
    `Content-Type: multipart/mixed; boundary="${boundary}"\nMIME-Version: 1.0\n`,
    ...parts.map(one => `--${boundary}\n${one.endsWith('\n') ? one : `${one}\n`}`),
    `--${boundary}--\n`,
  ].join('\n')
  const bytes = Buffer.byteLength(text)
  if (bytes > userDataLimit) {
    const room = userDataLimit - (bytes - Buffer.byteLength(own ?? ''))
    throw new UserFault(
      `user-data: ${Buffer.byteLength(own ?? '')} bytes are too many; beside the machine's time limit EC2 leaves room for ${room}`,
    )
  }
  return text
}
