export { awsClients, type AwsClients, type AwsOptions } from './clients.ts'
export {
  adviceFor,
  calling,
  codeOf,
  faultOf,
  isTransient,
  knownCodes,
  missingPermission,
  outsideFault,
  requestIdOf,
  type AwsFault,
  type Call,
} from './errors.ts'
export { serviceClock, type ServiceClock } from './service-clock.ts'
export { accountOf, checkAccount } from './account.ts'
export type { ImageChoice, ImageFacts } from './ec2/image.ts'
export { dryRun, imageFor, launchParameters, type LaunchSpec } from './ec2/launch.ts'
export { describeMachines, lookAt } from './ec2/machines.ts'
export type { GpuNeeds } from './ec2/plan.ts'
export { prepareLaunch, type Ec2Wish, type Prepared } from './ec2/prepare.ts'
export { ec2Access, ec2Ending, ec2Provider, isFinal, type Ec2Access } from './ec2/provider.ts'
export { consoleTail } from './ec2/console.ts'
export { ssmHost, waitForRegistration, type RegistrationOptions, type SsmTarget } from './ssm/index.ts'
export { deleteByHand, deleteParameter, putSecret, type SecretParameter } from './ssm/parameters.ts'
export {
  idTokens,
  issuerOf,
  login,
  missingOfLogin,
  tokenSource,
  userPool,
  userPoolId,
  type AuthFlow,
  type IdTokenInputs,
  type IdTokenPorts,
  type LoginPorts,
  type LoginRequest,
  type Tokens,
  type TokenSource,
  type TokenSourceOptions,
  type UserPool,
  type UserPoolOptions,
} from './cognito/index.ts'
