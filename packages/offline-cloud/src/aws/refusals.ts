import type { FaultKind } from '../faults.ts'
import { account, userName } from '../world/account.ts'
import { cognito } from '../world/cognito.ts'
import { AwsError } from './errors.ts'

export type AwsService = 'ec2' | 'ssm' | 'sts' | 'cognito-idp' | 'servicequotas' | 'pricing'

/** The faults that refuse a call before it is carried out. */
export const refusingFaults = [
  'denied',
  'throttled',
  'server-error',
  'expired-credentials',
] as const satisfies FaultKind[]
type RefusingFault = (typeof refusingFaults)[number]

type Words = readonly [code: string, status: number, message: string]

// Each service has its own code for one and the same thing. Codes and statuses: reference of each service; EC2's
// RequestExpired for dead session credentials is what its users report.
const faultWords: Readonly<Record<AwsService, Readonly<Record<RefusingFault, Words>>>> = {
  ec2: {
    denied: ['UnauthorizedOperation', 403, 'You are not authorized to perform this operation.'],
    throttled: ['RequestLimitExceeded', 503, 'Request limit exceeded.'],
    'server-error': ['InternalError', 500, 'An internal error has occurred'],
    'expired-credentials': ['RequestExpired', 400, 'Request has expired.'],
  },
  ssm: {
    denied: ['AccessDeniedException', 400, 'User is not authorized to perform this operation.'],
    throttled: ['ThrottlingException', 400, 'Rate exceeded'],
    'server-error': ['InternalServerError', 500, 'An error occurred on the server side.'],
    'expired-credentials': ['ExpiredTokenException', 400, 'The security token included in the request is expired'],
  },
  sts: {
    denied: ['AccessDenied', 403, 'User is not authorized to perform this operation.'],
    throttled: ['Throttling', 400, 'Rate exceeded'],
    'server-error': ['InternalFailure', 500, 'The request processing has failed because of an unknown error.'],
    'expired-credentials': ['ExpiredToken', 403, 'The security token included in the request is expired'],
  },
  'cognito-idp': {
    denied: [
      'AccessDeniedException',
      400,
      `User: arn:aws:iam::${account}:user/${userName} is not authorized to perform: cognito-idp:AdminInitiateAuth on resource: ${cognito.arn} because no identity-based policy allows the cognito-idp:AdminInitiateAuth action`,
    ],
    throttled: ['TooManyRequestsException', 400, 'Rate exceeded'],
    'server-error': ['InternalErrorException', 500, 'Internal server error'],
    'expired-credentials': ['ExpiredTokenException', 400, 'The security token included in the request is expired'],
  },
  servicequotas: {
    denied: [
      'AccessDeniedException',
      400,
      `User: arn:aws:iam::${account}:user/${userName} is not authorized to perform: servicequotas:GetServiceQuota because no identity-based policy allows the servicequotas:GetServiceQuota action`,
    ],
    throttled: ['TooManyRequestsException', 400, 'Rate exceeded'],
    'server-error': ['ServiceException', 500, 'The service has encountered an error.'],
    'expired-credentials': ['ExpiredTokenException', 400, 'The security token included in the request is expired'],
  },
  pricing: {
    denied: [
      'AccessDeniedException',
      400,
      `User: arn:aws:iam::${account}:user/${userName} is not authorized to perform: pricing:GetProducts because no identity-based policy allows the pricing:GetProducts action`,
    ],
    throttled: ['ThrottlingException', 400, 'Rate exceeded'],
    'server-error': [
      'InternalErrorException',
      500,
      'An error on the server occurred during the processing of your request.',
    ],
    'expired-credentials': ['ExpiredTokenException', 400, 'The security token included in the request is expired'],
  },
}

/** The refusal that a fault stands for, in the words of the service. */
export function faultRefusal(service: AwsService, kind: RefusingFault): AwsError {
  const [code, status, message] = faultWords[service][kind]
  return new AwsError(code, message, status)
}

const unsignedWords: Readonly<Record<AwsService, Words>> = {
  ec2: ['AuthFailure', 401, 'AWS was not able to validate the provided access credentials'],
  ssm: ['MissingAuthenticationTokenException', 400, 'Missing Authentication Token'],
  sts: ['MissingAuthenticationToken', 403, 'Request is missing Authentication Token'],
  'cognito-idp': ['MissingAuthenticationTokenException', 400, 'Missing Authentication Token'],
  servicequotas: ['MissingAuthenticationTokenException', 400, 'Missing Authentication Token'],
  pricing: ['MissingAuthenticationTokenException', 400, 'Missing Authentication Token'],
}

const unknownWords: Readonly<Record<AwsService, Words>> = {
  ec2: ['AuthFailure', 401, 'AWS was not able to validate the provided access credentials'],
  ssm: ['UnrecognizedClientException', 400, 'The security token included in the request is invalid.'],
  sts: ['InvalidClientTokenId', 403, 'The security token included in the request is invalid.'],
  'cognito-idp': ['UnrecognizedClientException', 400, 'The security token included in the request is invalid.'],
  servicequotas: ['UnrecognizedClientException', 400, 'The security token included in the request is invalid.'],
  pricing: ['UnrecognizedClientException', 400, 'The security token included in the request is invalid.'],
}

const refusalOf = ([code, status, message]: Words): AwsError => new AwsError(code, message, status)

/** For a request without a SigV4 header. */
export const unsigned = (service: AwsService): AwsError => refusalOf(unsignedWords[service])

/** For session credentials that nobody gave out, and for a region that does not exist. */
export const unknownCredentials = (service: AwsService): AwsError => refusalOf(unknownWords[service])
