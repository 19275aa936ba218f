import { createHash, randomBytes } from 'node:crypto'
import { posix } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { messageOf, OutsideFault, type Clock } from '@gpu-actions/action-kit/ports'
import { sendOver } from './sending.ts'
import { quote } from './shell.ts'
import type { Transport } from './transport.ts'

/** Time limit of a script that carries a part of a file, in milliseconds. */
const fileMs = 60_000
/** The slowest way to a host that a whole file in one script is given the time for, in bytes per millisecond. */
const slowest = 100

const digestOf = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex')

const digestCommand = `digest() {
  { sha256sum 2>/dev/null || shasum -a 256; } | cut -c 1-64
}`

const absolute = (path: string): string => {
  if (!posix.isAbsolute(path)) throw new RangeError(`not an absolute path: ${path}`)
  return path
}

const tooBig = (transport: Transport, path: string, bytes: number): OutsideFault =>
  new OutsideFault({
    what: `${path} has ${bytes} bytes; ${transport.name} carries files of at most ${transport.limits.fileBytes}`,
    advice: 'Make the file smaller, or move it another way (object storage, or a host that is reached by ssh).',
  })

interface PartOfFile {
  readonly folder: string
  readonly id: string
  readonly path: string
  readonly digest: string
  readonly mode: number
  readonly part: number
  readonly last: boolean
  readonly base64: string
}

/** A script that adds one part of a file; the last one puts the file in its place. */
function partScript(file: PartOfFile): string {
  const mode = file.mode.toString(8)
  const begin = `parts=${file.folder}/parts/${file.id}
mkdir -p "$parts" && printf %s ${quote(file.base64)} | base64 -d >"$parts/${String(file.part).padStart(6, '0')}"`
  if (!file.last) return `${begin}\n`
  return `${digestCommand}
target=${quote(file.path)}
new=${quote(`${file.path}.${file.id}`)}
[ "$(digest <"$target" 2>/dev/null)" = ${file.digest} ] && chmod ${mode} "$target" && exit 0
${begin} || exit
mkdir -p ${quote(posix.dirname(file.path))} || exit
cat "$parts"/* | gzip -dc >"$new" && [ "$(digest <"$new")" = ${file.digest} ] &&
  chmod ${mode} "$new" && mv -f "$new" "$target"
code=$?
rm -rf "$parts" "$new"
exit $code
`
}

/** A script that puts its standard input in the file's place, or nothing. */
function fedScript(file: Pick<PartOfFile, 'id' | 'path' | 'digest' | 'mode'>): string {
  return `${digestCommand}
target=${quote(file.path)}
new=${quote(`${file.path}.${file.id}`)}
trap 'rm -f "$new"; exit 1' TERM
mkdir -p ${quote(posix.dirname(file.path))} || exit
cat >"$new" && [ "$(digest <"$new")" = ${file.digest} ] &&
  chmod ${file.mode.toString(8)} "$new" && mv -f "$new" "$target"
code=$?
rm -f "$new"
exit $code
`
}

/** Puts a file on the machine, in as many scripts as it needs. */
export async function uploadOver(
  transport: Transport,
  clock: Pick<Clock, 'sleep'>,
  path: string,
  content: Uint8Array,
  options: { readonly mode?: number } = {},
): Promise<void> {
  const { limits, folder, name } = transport
  absolute(path)
  if (content.length > limits.fileBytes) throw tooBig(transport, path, content.length)
  const common = {
    folder,
    id: randomBytes(8).toString('hex'),
    path,
    digest: digestOf(content),
    mode: options.mode ?? 0o644,
  }
  const send = async (script: string, more: { readonly input?: Uint8Array } = {}): Promise<void> => {
    const timeoutMs = fileMs + (more.input?.length ?? 0) / slowest
    const { exitCode, output } = await sendOver(transport, clock, script, { timeoutMs, ...more })
    if (exitCode === 0) return
    throw new OutsideFault({
      what: `Sending ${path} to ${name} failed: ${output.slice(0, 300).trim() || 'it did not arrive whole'}`,
      advice: 'See whether the disk of the machine is full, and whether the folder can be written.',
    })
  }
  if (transport.feed !== undefined) return send(fedScript(common), { input: content })
  const base64 = gzipSync(content).toString('base64')
  const around = Buffer.byteLength(partScript({ ...common, part: 0, last: true, base64: '' }))
  // Whole groups of four characters, so that each part is base64 by itself.
  const step = Math.floor((limits.scriptBytes - around) / 4) * 4
  for (let part = 0; part * step < base64.length; part++) {
    const last = (part + 1) * step >= base64.length
    await send(partScript({ ...common, part, last, base64: base64.slice(part * step, (part + 1) * step) }))
  }
}

/** The first script of a download keeps a compressed copy, so that all parts are of one state of the file. */
function fetchScript(file: {
  readonly folder: string
  readonly id: string
  readonly path: string
  readonly limit: number
  readonly part: number
  readonly partBytes: number
}): string {
  const copy = `copies=${file.folder}/copies
copy=$copies/${file.id}`
  const make = `${digestCommand}
file=${quote(file.path)}
[ -f "$file" ] || { echo 'file: missing'; exit 0; }
size=$(($(wc -c <"$file"))) || exit
[ "$size" -le ${file.limit} ] || { echo "file: big $size"; exit 0; }
mkdir -p "$copies" && { [ -e "$copy" ] || { gzip -c <"$file" >"$copy.new" && mv "$copy.new" "$copy"; }; } || exit
echo "file: $(gzip -dc <"$copy" | digest) $(($(wc -c <"$copy")))"`
  const drop = `
[ "$(wc -c <"$copy")" -gt ${file.partBytes} ] || rm -f "$copy"`
  return `${copy}
${file.part === 0 ? make : ''}
tail -c +${file.part * file.partBytes + 1} "$copy" | head -c ${file.partBytes} | base64 | tr -d '\\n'${file.part === 0 ? drop : ''}
`
}

const notFetched = (transport: Transport, path: string, why: string): OutsideFault =>
  new OutsideFault({
    what: `Bringing ${path} home from ${transport.name} failed: ${why}`,
    advice: 'See the output of the job that was to write it.',
  })

/** Brings a file home, in as many scripts as it needs. */
export async function downloadOver(
  transport: Transport,
  clock: Pick<Clock, 'sleep'>,
  path: string,
): Promise<Uint8Array> {
  const { limits, folder } = transport
  absolute(path)
  const id = randomBytes(8).toString('hex')
  const partBytes = Math.floor(((limits.outputBytes - 160) * 3) / 4)
  const ask = async (part: number): Promise<string> => {
    const script = fetchScript({ folder, id, path, limit: limits.fileBytes, part, partBytes })
    const { exitCode, output } = await sendOver(transport, clock, script, { timeoutMs: fileMs })
    if (exitCode !== 0) throw notFetched(transport, path, output.slice(0, 300).trim() || `exit code ${exitCode}`)
    return output
  }
  const first = await ask(0)
  const big = /^file: big (\d+)$/m.exec(first)
  if (big !== null) throw tooBig(transport, path, Number(big[1]))
  const found = /^file: ([0-9a-f]{64}) (\d+)\n([A-Za-z0-9+/=]*)\s*$/m.exec(first)
  if (found === null)
    throw notFetched(transport, path, /^file: missing$/m.test(first) ? 'there is no such file' : first.slice(0, 300))
  const [, digest, size = '0', body = ''] = found
  const parts = [Buffer.from(body, 'base64')]
  for (let part = 1; part * partBytes < Number(size); part++) parts.push(Buffer.from(await ask(part), 'base64'))
  if (parts.length > 1) await sendOver(transport, clock, `rm -f ${folder}/copies/${id}\n`, { timeoutMs: fileMs })
  let content: Uint8Array
  try {
    content = gunzipSync(Buffer.concat(parts))
  } catch (error) {
    throw notFetched(transport, path, `it did not arrive whole (${messageOf(error)})`)
  }
  if (digestOf(content) !== digest) throw notFetched(transport, path, 'its SHA-256 is not that on the machine')
  return content
}
