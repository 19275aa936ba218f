import { OutsideFault, formatDuration } from '@gpu-actions/action-kit/ports'
import type { Host, JobEnd, RunningJob } from '@gpu-actions/host'
import type { Workplace } from './python.ts'

/** Gigabytes are downloaded and unpacked; uv takes half a minute where the network and the disk are quick. */
const installLimitMs = 20 * 60_000

/** How much of what was printed last is repeated in an error, in characters. */
const lastWords = 1000

/** $1: a Python to build on, $2: the folder to build in, $3: the version of PyTorch. */
const installScript = `uv=$(command -v uv) || {
  "$1" -m pip install --quiet --disable-pip-version-check --target "$2/uv" uv || exit 1
  uv=$2/uv/bin/uv
}
"$uv" venv --quiet --python "$1" "$2/venv" &&
  "$uv" pip install --python "$2/venv/bin/python" --compile-bytecode "torch==$3"
`

/**
 * Installs a version of PyTorch into a virtual environment in the workplace's folder.
 * @param follow waits for the end of the job, and hands over what it prints
 * @returns the workplace with the Python of that environment
 * @throws OutsideFault when it could not be installed
 */
export async function installTorch(
  host: Host,
  { python, folder }: Workplace,
  version: string,
  follow: (job: RunningJob, hear: (text: string) => void) => Promise<JobEnd>,
): Promise<Workplace> {
  const job = await host.start({
    name: 'install-pytorch',
    command: ['/bin/sh', '-c', installScript, 'install-pytorch', python, folder, version],
    timeoutMs: installLimitMs,
  })
  let told = ''
  const end = await follow(job, text => (told = (told + text).slice(-lastWords)))
  if (end.how === 'exited' && end.exitCode === 0) return { folder, python: `${folder}/venv/bin/python` }
  throw new OutsideFault({
    what: [`Installing PyTorch ${version} on ${host.name} ${failure(end)}`, ...told.trim().split('\n').slice(-5)].join(
      '\n  | ',
    ),
    advice:
      'Read logs/pytorch.log: the version must exist for the Python of the host, which needs a way to the package index and 10 GB of disk. Or take the PyTorch of the image (`pytorch: image`).',
  })
}

function failure(end: JobEnd): string {
  switch (end.how) {
    case 'exited':
      return `ended with exit code ${end.exitCode}`
    case 'timed-out':
      return `took longer than ${formatDuration(installLimitMs)} and was ended`
    case 'cancelled':
      return 'was cancelled'
    case 'lost':
      return `was lost: ${end.reason}`
  }
}
