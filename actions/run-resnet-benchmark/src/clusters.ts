import { UserFault, type ActionContext } from '@gpu-actions/action-kit'
import { login, tokenSource, userPool } from '@gpu-actions/aws'
import { clusterApi, dialectWith, productionHosts, readBase, type ClusterApi } from '@gpu-actions/cluster-api'
import type { BenchmarkAction } from './action.ts'

type Context = Pick<
  ActionContext<BenchmarkAction['inputs'], BenchmarkAction['outputs']>,
  'inputs' | 'clock' | 'log' | 'signal' | 'mask'
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

/** A new login with the inputs, when they are there. */
function loginOf({ inputs, clock, log, signal, mask }: Context) {
  const { userPoolId, clientId, clientSecret, username, password } = inputs
  if (userPoolId === undefined || clientId === undefined || username === undefined || password === undefined) return
  const pool = userPool({ id: userPoolId })
  const request = { clientId, clientSecret, username, password, flow: 'ADMIN_USER_PASSWORD_AUTH' } as const
  return {
    pool,
    logIn: () =>
      login({ ...request, revokeRefreshToken: true }, { pool, clock, log, signal, mask: text => mask(text) }),
  }
}

/**
 * The API of the cluster that the inputs name, with a new login whenever the id token ends. No call is sent by this.
 * @throws UserFault when the address is none
 */
export function openCluster(context: Context): ClusterApi {
  const { inputs, clock, log } = context
  if (inputs.apiBase === undefined)
    throw new UserFault('The address of the cluster API is not known', ['api-base: give it'])
  const found = loginOf(context)
  const issuer =
    found === undefined ? {} : { issuer: `https://cognito-idp.${found.pool.homeRegion}.amazonaws.com/${found.pool.id}` }
  const url = readBase(inputs.apiBase, { productionHosts, onProduction: 'warn', ...issuer }, log)
  const tokens = tokenSource({
    given: inputs.idToken,
    login: found?.logIn,
    now: () => found?.pool.serviceNow() ?? clock.now(),
    log,
  })
  return clusterApi({
    base: url.href,
    // Without a login the refused token is all there is: the API's own words then tell why it was refused.
    token: async refused => (refused !== undefined && found === undefined ? refused : tokens.idToken(refused)),
    clock,
    log,
    mask: text => context.mask(text),
    dialect: jobDialect,
  })
}
