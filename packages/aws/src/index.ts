export { awsClients, type AwsClients, type AwsOptions } from './clients.ts'
export { awsWorld, type AwsWorld, type WorldOptions } from './world.ts'
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
export type { GpuNeeds } from './ec2/catalogue.ts'
export { describeMachines, isInterruption, lookAt, lookAtInstance } from './ec2/machines.ts'
export type { Ec2Plan, PriceFacts } from './ec2/plan.ts'
export { ec2Access, ec2Ending, ec2Provider, isFinal, type Ec2Access, type Ec2Provider } from './ec2/provider.ts'
export { tagNames } from './ec2/tags.ts'
export type { QuotaFacts } from './ec2/quotas.ts'
export { regionsOf } from './ec2/regions.ts'
export { marketWishes, type Ec2Wish, type MarketWish } from './ec2/wish.ts'
export { consoleTail, statusChecks } from './ec2/console.ts'
export { ssmHost, waitForRegistration, type RegistrationOptions, type SsmTarget } from './ssm/index.ts'
export { deleteByHand, deleteParameter, putSecret, tokenParameter, type SecretParameter } from './ssm/parameters.ts'
export { markedParameters, type MarkedParameter } from './ssm/marked-parameters.ts'
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
