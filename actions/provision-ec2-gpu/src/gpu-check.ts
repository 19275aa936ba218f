import { OutsideFault } from '@gpu-actions/action-kit'

/** What of a host the check needs. */
export interface GpuHost {
  run(
    script: string,
    options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal },
  ): Promise<{ readonly exitCode: number; readonly output: string }>
}

/** What the CUDA driver of the machine answered. */
export type GpuAnswer =
  | { readonly kind: 'gpus'; readonly count: number; readonly name: string }
  /** It may still come: the driver is loading, or (802) the fabric manager is starting. */
  | { readonly kind: 'not-yet'; readonly reason: string }

const mark = 'gpu-actions-gpu '

/** Asks libcuda itself: nvidia-smi answers while CUDA does not work yet. Needs nothing but Python. */
const program = `import ctypes, json
answer = {"code": None, "count": 0, "name": "", "error": ""}
try:
    cuda = ctypes.CDLL("libcuda.so.1")
    answer["code"] = cuda.cuInit(0)
    if answer["code"] == 0:
        count = ctypes.c_int(0)
        answer["code"] = cuda.cuDeviceGetCount(ctypes.byref(count))
        answer["count"] = count.value
        for index in range(count.value):
            device = ctypes.c_int(0)
            name = ctypes.create_string_buffer(128)
            code = cuda.cuDeviceGet(ctypes.byref(device), index) or cuda.cuDeviceGetName(name, 128, device)
            answer["code"] = answer["code"] or code
            answer["name"] = answer["name"] or name.value.decode(errors="replace")
except OSError as error:
    answer["error"] = str(error)
print("${mark}" + json.dumps(answer))
`

export const gpuCheckScript = `for python in /opt/pytorch/bin/python python3 python; do
  command -v "$python" >/dev/null || continue
  exec "$python" - <<'END'
${program}END
done
echo 'no Python on this machine' >&2
exit 1
`

const describeCode = (code: number | null, error: string): string =>
  code === null
    ? `no NVIDIA driver (${error})`
    : code === 802
      ? 'the fabric manager has not started yet (802)'
      : `CUDA error ${code}`

/** Reads what the check printed. The text is a machine's: nothing of it is trusted but the one line. */
export function readGpuAnswer(output: string): GpuAnswer {
  const line = output
    .split('\n')
    .findLast(one => one.startsWith(mark))
    ?.slice(mark.length)
  if (line === undefined) return { kind: 'not-yet', reason: 'the check printed no answer' }
  let answer: unknown
  try {
    answer = JSON.parse(line)
  } catch {
    return { kind: 'not-yet', reason: 'the check printed half an answer' }
  }
  const field = (name: string): unknown =>
    typeof answer === 'object' && answer !== null ? Reflect.get(answer, name) : undefined
  const [code, count, name, error] = [field('code'), field('count'), field('name'), field('error')]
  if (code === 0 && typeof count === 'number' && count > 0) {
    return { kind: 'gpus', count, name: typeof name === 'string' ? name : '' }
  }
  return {
    kind: 'not-yet',
    reason: describeCode(typeof code === 'number' ? code : null, typeof error === 'string' ? error : ''),
  }
}

/**
 * One look at the GPUs of a machine.
 * @param expected how many the type has; fewer are not there yet
 */
export async function askGpus(host: GpuHost, expected: number | null, signal: AbortSignal): Promise<GpuAnswer> {
  const { exitCode, output } = await host.run(gpuCheckScript, { timeoutMs: 60_000, signal })
  if (exitCode !== 0 && !output.includes(mark)) {
    throw new OutsideFault({
      what: `The GPUs could not be asked: the check ended with exit code ${exitCode}`,
      advice: 'Use an image with Python 3, or wait-for: ssm.',
      cause: output.slice(0, 500),
    })
  }
  const answer = readGpuAnswer(output)
  if (answer.kind === 'gpus' && expected !== null && answer.count !== expected) {
    return { kind: 'not-yet', reason: `${answer.count} of ${expected} GPUs answer` }
  }
  return answer
}
