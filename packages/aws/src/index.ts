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
