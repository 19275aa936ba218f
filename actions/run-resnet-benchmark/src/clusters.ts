import { UserFault, type ActionContext } from '@gpu-actions/action-kit'
import { awsWorld, idTokens, issuerOf } from '@gpu-actions/aws'
import { clusterApi, dialectWith, productionHosts, readBase, type ClusterApi } from '@gpu-actions/cluster-api'
import type { BenchmarkAction } from './action.ts'

type Context = Pick<
  ActionContext<BenchmarkAction['inputs'], BenchmarkAction['outputs']>,
  'inputs' | 'clock' | 'idToken' | 'log' | 'run' | 'signal' | 'mask'
>

/** The job's body with the sizes that the suite's own agent understands; what is not said is left out. */
export const jobDialect = dialectWith({
  bodies: {
    job: {
      job_kind: 'resnet50_benchmark',
      params: {
        epochs: '{epochs}',
        batch_size: '{batchSize}',
        steps_per_epoch: '{stepsPerEpoch}',
        image_size: '{imageSize}',
        allow_cpu: '{allowCpu}',
      },
    },
  },
})

/**
 * The API of the cluster that the inputs name, with a new login whenever the id token ends. No call is sent by this.
 * @throws UserFault when the address is none
 */
export function openCluster(context: Context, environment: Readonly<Record<string, string | undefined>>): ClusterApi {
  const { inputs, clock, idToken, log, run, signal } = context
  if (inputs.apiBase === undefined)
    throw new UserFault('The address of the cluster API is not known', ['api-base: give it'])
  const issuer = issuerOf(inputs.idToken)
  const known = issuer === undefined ? {} : { issuer }
  const url = readBase(inputs.apiBase, { productionHosts, onProduction: 'warn', ...known }, log)
  const mask = (text: string): void => context.mask(text)
  const sessionName = `${run.repository} ${run.runId}`
  const { credentials } = awsWorld({ environment, roleToAssume: inputs.roleToAssume, idToken, sessionName, clock })
  const token = idTokens(inputs, { clock, credentials, log, mask, signal })
  return clusterApi({ base: url.href, token, clock, log, mask, dialect: jobDialect })
}
