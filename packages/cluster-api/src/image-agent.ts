import { quote } from '@gpu-actions/host'

export interface ImageAgent {
  /** The reference's is `iangreen74/radix-cluster-agent:latest`. */
  readonly image: string
  readonly apiBase: string
  readonly clusterId: string
  readonly tenantId: string
  /** The SecureString that holds the one-time token; read and deleted on the machine. */
  readonly parameter: { readonly name: string; readonly region: string }
}

export const imageAgentDefault = 'iangreen74/radix-cluster-agent:latest'

/** The name of its container, which `diagnose` reads the log of. */
const container = 'radix-agent'

/** @throws RangeError for what an env-file cannot carry */
function line(name: string, value: string): string {
  if (/[\r\n]/.test(value)) throw new RangeError(`${name} holds a line break`)
  return `${name}=${value}`
}

/**
 * A script that starts the reference's own agent in its container, as the original harness did: the same name, mounts,
 * restart policy and variables. The one-time token goes from the parameter into an env-file that only root can read,
 * and nowhere else: not into the script, an argument or a log. It stays readable for root in the container's settings.
 * Known flaw of that agent: restarted after its first exchange, it tries the spent token again.
 */
export function imageAgentScript(agent: ImageAgent): string {
  const { image, parameter } = agent
  if (image === '' || image.startsWith('-')) throw new RangeError(`no reference of an image: ${image}`)
  const variables = [
    line('RADIX_API_BASE', agent.apiBase),
    line('RADIX_TENANT_ID', agent.tenantId),
    line('RADIX_CLUSTER_ID', agent.clusterId),
  ]
  const at = `--name ${quote(parameter.name)} --region ${quote(parameter.region)}`
  return `set +x
umask 077
command -v docker >/dev/null 2>&1 || { echo 'This image has no docker.'; exit 3; }
command -v aws >/dev/null 2>&1 || { echo 'This image has no AWS CLI to read the one-time token with.'; exit 4; }
variables=$(mktemp) || exit
trap 'rm -f "$variables"' EXIT
printf '%s\\n' ${variables.map(quote).join(' ')} >"$variables" || exit
printf 'RADIX_ONE_TIME_TOKEN=' >>"$variables" || exit
aws ssm get-parameter ${at} --with-decryption --query Parameter.Value --output text >>"$variables" || exit 5
if grep -qE '^RADIX_ONE_TIME_TOKEN=(None)?$' "$variables"; then
  echo 'The parameter with the one-time token is empty.'
  exit 5
fi
timeout 600 docker pull --quiet ${quote(image)} || { echo 'The image of the agent could not be pulled.'; exit 6; }
docker rm --force ${container} >/dev/null 2>&1
gpus=
if nvidia-smi -L >/dev/null 2>&1; then gpus='--gpus all'; fi
docker run -d --name ${container} --restart always $gpus -v /var/run/docker.sock:/var/run/docker.sock \\
  -v /var/lib/radix:/var/lib/radix --env-file "$variables" ${quote(image)} || exit 7
aws ssm delete-parameter ${at} || echo 'The parameter is deleted by the step that made it.'
`
}

/** A script that ends that agent; nothing there is success. */
export const removeImageAgentScript = `command -v docker >/dev/null 2>&1 || exit 0
docker rm --force ${container} >/dev/null 2>&1
[ -z "$(docker ps -aq --filter name=^${container}$)" ]
`
