import { createHash } from 'node:crypto'

/** What the key is made of, so that a changed meaning of a field makes another key. */
const keyVersion = 'gpu-actions/environment-key@1'

/** Two results are comparable when their keys are equal. */
export interface EnvironmentKey {
  /** The first 16 hexadecimal digits of a SHA-256 over the fields. */
  readonly key: string
  /** Normalised; null: not known, which equals only another unknown. Flags that are not set have no field. */
  readonly fields: Readonly<Record<string, string | null>>
}

/** A field whose values differ. */
export interface Difference {
  readonly field: string
  readonly before: string | null
  readonly after: string | null
}

/** What a key is read from: `result.json`, or as much of it as there is. Whatever is not where it should be is unknown. */
export interface KeyedResult {
  readonly backend?: string | null
  readonly workload: { readonly name: string; readonly version: number | null; readonly actual: object | null }
  readonly environment: Readonly<Record<string, unknown>> | null
  /** As PyTorch held them: `cudnn_allow_tf32` and the like. */
  readonly flags: Readonly<Record<string, boolean>> | null
}

type Reader = (result: KeyedResult) => string | null

/** A value at a path, as text. */
const at =
  (part: (result: KeyedResult) => unknown, ...path: readonly string[]): Reader =>
  result =>
    textOf(path.reduce<unknown>((value, name) => (isRecord(value) ? value[name] : null), part(result)))
const actual = (name: string): Reader => at(({ workload }) => workload.actual, name)
const environment = (...path: readonly string[]): Reader => at(result => result.environment, ...path)

const through =
  (read: Reader, normalise: (text: string) => string): Reader =>
  result => {
    const text = read(result)
    return text === null ? null : normalise(text)
  }
const either =
  (...readers: readonly Reader[]): Reader =>
  result =>
    readers.map(read => read(result)).find(text => text !== null) ?? null
const onCpuOnly =
  (read: Reader): Reader =>
  result =>
    result.backend === 'cpu' ? read(result) : null

/**
 * The fields of the key (protocol 7) and how each is read and normalised; README.md says why each is in. Left out on
 * purpose: whatever differs between two equal machines (ids, serial numbers, region, zone, uptime), between two equal
 * runs (seed, commit, length) or without changing what the GPU computes (kernel, VBIOS, governor, image id).
 */
const readers: Readonly<Record<string, Reader>> = {
  workload: at(({ workload }) => workload.name),
  workloadVersion: at(({ workload }) => workload.version),
  mode: actual('mode'),
  imageSize: actual('imageSize'),
  batchSize: actual('batchSize'),
  precision: actual('precision'),
  memoryFormat: actual('memoryFormat'),
  compile: actual('compile'),
  gpus: either(actual('gpus'), actual('worldSize')),
  cpuThreads: onCpuOnly(actual('threads')),
  backend: at(({ backend }) => backend),
  gpuName: through(environment('gpu', 'name'), spaced),
  gpuCount: environment('gpu', 'count'),
  gpuMemoryGib: through(either(environment('gpu', 'memoryBytes'), at(firstDevice, 'memoryBytes')), gib),
  mig: through(environment('driver', 'mig'), switched),
  powerLimitWatts: through(environment('driver', 'powerLimitWatts'), rounded),
  ecc: through(environment('driver', 'ecc'), switched),
  instanceType: either(environment('instance', 'type'), environment('instance', 'instanceType')),
  driverBranch: through(environment('driver', 'version'), branch),
  cuda: environment('torch', 'cuda'),
  rocm: environment('torch', 'hip'),
  cudnn: environment('torch', 'cudnn'),
  miopen: environment('torch', 'miopen'),
  torch: environment('torch', 'version'),
  containerDigest: either(environment('container', 'digest'), environment('containerDigest')),
  cpuModel: through(environment('cpu', 'model'), spaced),
}

/** The fields that every key has, in the order of the README. */
export const keyFields: readonly string[] = Object.keys(readers)

/** The key of a result, and what it was made from. */
export function environmentKey(result: KeyedResult): EnvironmentKey {
  const read = Object.entries(readers).map(([name, reader]) => [name, reader(result)] as const)
  const fields = Object.fromEntries(
    [...read, ...variables(result), ...torchFlags(result)].toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )
  const digest = createHash('sha256')
    .update(JSON.stringify([keyVersion, fields]))
    .digest('hex')
  return { key: digest.slice(0, 16), fields }
}

/** The fields in which two keys differ, by name; a field that one does not have is null there. */
export function differences(before: EnvironmentKey, after: EnvironmentKey): readonly Difference[] {
  const names = new Set([...Object.keys(before.fields), ...Object.keys(after.fields)])
  return [...names]
    .toSorted()
    .map(field => ({ field, before: before.fields[field] ?? null, after: after.fields[field] ?? null }))
    .filter(difference => difference.before !== difference.after)
}

/** Environment variables that change which kernels run or how (protocol 7, with what CPU and ROCm libraries read). */
const kernelVariable = /^(TORCH|PYTORCH_|CUDA|CUDNN_|CUBLAS|NVIDIA_TF32|MIOPEN|HSA_|OMP_|GOMP_|KMP_|MKL_|ONEDNN_|DNNL_)/
/** Of those, what names a place or a machine: it is other on every host and changes no kernel. */
const placeVariable =
  /(_DIR|_PATH|_HOME|_ROOT|_FILE|_ID|_PORT|_ADDR|_VERSION)$|^CUDA_(VISIBLE_DEVICES|DEVICE_ORDER|CACHE)|^TORCHELASTIC_/

function variables({ environment: told }: KeyedResult): readonly (readonly [string, string | null])[] {
  const set = told?.['flags']
  if (!isRecord(set)) return []
  return Object.entries(set)
    .filter(([name]) => kernelVariable.test(name) && !placeVariable.test(name))
    .map(([name, value]) => [`env.${name}`, textOf(value)] as const)
}

const torchFlags = ({ flags }: KeyedResult): readonly (readonly [string, string])[] =>
  Object.entries(flags ?? {}).map(([name, value]) => [`torch.${name}`, String(value)] as const)

function firstDevice(result: KeyedResult): unknown {
  const gpu = result.environment?.['gpu']
  const devices = isRecord(gpu) ? gpu['devices'] : null
  return Array.isArray(devices) ? (devices[0] as unknown) : null
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value.trim() === '' ? null : value.trim()
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null
}

/** `Tesla  T4 ` is `Tesla T4`. */
function spaced(text: string): string {
  return text.replace(/\s+/g, ' ')
}

/** Drivers keep a few hundred MB to themselves, more or less with each version. */
function gib(bytes: string): string {
  return Number.isFinite(Number(bytes)) ? String(Math.round(Number(bytes) / 2 ** 30)) : bytes
}

function rounded(text: string): string {
  return Number.isFinite(Number(text)) ? String(Math.round(Number(text))) : text
}

/** `Enabled`, `enabled`, `true` and `1` are one setting. */
function switched(text: string): string {
  return /^(enabled|true|on|1)$/i.test(text) ? 'on' : /^(disabled|false|off|0)$/i.test(text) ? 'off' : text
}

/** `570.133.20` is branch 570: a branch gets fixes only. AMD's `6.10.5` is 6.10, whose first number hardly moves. */
function branch(version: string): string {
  const [major = version, minor] = version.split('.')
  return Number(major) >= 100 || minor === undefined ? major : `${major}.${minor}`
}
