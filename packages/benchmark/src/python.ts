import { OutsideFault, formatDuration, type Clock } from '@gpu-actions/action-kit/ports'
import { quote, type Host } from '@gpu-actions/host'

/** The environment of the Deep Learning AMIs, then the system's. */
const usual = ['/opt/pytorch/bin/python', 'python3'] as const

/** The first import of PyTorch on a volume that was just made from a snapshot reads gigabytes from far away. */
const importLimitMs = 10 * 60_000

export interface Workplace {
  /** The Python that was found: a path, or a name that the host's PATH resolves. */
  readonly python: string
  /** A new folder on the host that nobody else can write to. */
  readonly folder: string
}

/** What a Python must import: PyTorch itself, or what PyTorch can be installed with. */
const probes = {
  torch: 'import torch',
  installer: 'import shutil; shutil.which("uv") or __import__("pip")',
} as const

/**
 * Prints `FOLDER path`, then `TRIED python: why not` for each Python that will not do, and `PYTHON path` for the first
 * that will.
 */
const script = (candidates: readonly string[], probe: string): string => `umask 077
folder=$(mktemp -d "\${TMPDIR:-/tmp}/gpu-actions-benchmark.XXXXXX") || exit 1
echo "FOLDER $folder"
for python in ${candidates.map(quote).join(' ')}; do
  if ! command -v "$python" >/dev/null 2>&1; then
    echo "TRIED $python: is not there"
  elif "$python" -c ${quote(probe)} >"$folder/import.log" 2>&1; then
    echo "PYTHON $python"
    exit 0
  else
    echo "TRIED $python: $(tail -n 1 "$folder/import.log")"
  fi
done
rm -rf "$folder"
`

const linesOf = (output: string, word: string): readonly string[] =>
  output
    .split('\n')
    .filter(line => line.startsWith(`${word} `))
    .map(line => line.slice(word.length + 1).trim())

/**
 * Finds a Python, and makes a folder to work in. Importing PyTorch warms the disk's cache, too, so that the program's
 * own start is not held up.
 * @param asked the only Python to try; undefined: the usual ones
 * @param need whether it must have PyTorch, or be able to install it
 * @throws OutsideFault that lists what was tried and why it would not do, or that of the host
 */
export async function prepareWorkplace(
  host: Host,
  asked: string | undefined,
  need: keyof typeof probes,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Workplace> {
  const started = clock.now()
  const candidates = asked === undefined ? usual : [asked]
  const { exitCode, output } = await host
    .run(script(candidates, probes[need]), { timeoutMs: importLimitMs, signal })
    .catch((cause: unknown) => {
      signal.throwIfAborted()
      throw clock.now() - started < importLimitMs ? cause : tooSlow(host, cause)
    })
  const [folder] = linesOf(output, 'FOLDER')
  if (exitCode !== 0 || folder === undefined) {
    throw new OutsideFault({
      what: `No folder for the benchmark could be made on ${host.name} (exit code ${exitCode}): ${lastLine(output)}`,
      advice: 'Look at the space left on the disk of the host and at who may write to its temporary folder.',
    })
  }
  const [python] = linesOf(output, 'PYTHON')
  if (python !== undefined) return { python, folder }
  throw new OutsideFault({
    what: [
      `No Python on ${host.name} ${need === 'torch' ? 'imports PyTorch' : 'can install PyTorch (with uv, or pip)'}. Tried:`,
      ...linesOf(output, 'TRIED').map(tried => `- ${tried}`),
    ].join('\n'),
    advice:
      'Use an image that has PyTorch, as the Deep Learning AMIs with PyTorch have, or name its Python in the input `python`.',
  })
}

const tooSlow = (host: Host, cause: unknown): OutsideFault =>
  new OutsideFault({
    what: `PyTorch could not be imported on ${host.name} within ${formatDuration(importLimitMs)}`,
    advice:
      'A fresh volume loads PyTorch from its snapshot on the first import: rent the machine with a faster volume, or run the step again, which then finds much of it loaded.',
    cause,
  })

const lastLine = (output: string): string => output.trim().split('\n').at(-1) ?? ''
