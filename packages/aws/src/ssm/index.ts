export type { SsmTarget } from './command.ts'
export { waitForRegistration, type RegistrationOptions } from './registration.ts'
export { ssmHost } from './ssm-host.ts'
