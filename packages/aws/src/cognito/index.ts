export type { AuthFlow } from './failures.ts'
export { login, type LoginPorts, type LoginRequest, type Tokens } from './login.ts'
export { userPool, userPoolId, type UserPool, type UserPoolOptions } from './pool.ts'
export { tokenSource, type TokenSource, type TokenSourceOptions } from './token-source.ts'
