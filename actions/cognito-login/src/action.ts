import { defineAction, input, roleToAssume } from '@gpu-actions/action-kit'

export const action = defineAction({
  name: 'cognito-login',
  title: 'Log in to a Cognito user pool',
  description: 'Logs a user in with a password and gives the steps after it a checked, masked id token.',
  inputs: {
    'user-pool-id': input.text({
      about: 'The user pool. The part before `_` is its region, which may differ from that of the machines.',
      required: true,
      pattern: /^[a-z]{2}(-[a-z]+)+-\d+_[0-9A-Za-z]+$/,
      must: 'the id of a user pool such as us-west-2_AbCdEf123',
    }),
    'client-id': input.text({
      about: 'The app client, one that the API behind the token accepts.',
      required: true,
      pattern: /^[\w+]{1,128}$/,
      must: 'the id of an app client such as 1h57kf5cpq17m0eml12EXAMPLE',
    }),
    'client-secret': input.secret({ about: 'The secret of the app client. Empty when it has none.' }),
    username: input.text({ about: 'The user, best one that only CI uses.', required: true }),
    password: input.secret({ about: 'The password of the user.', required: true }),
    region: input.text({
      about: 'The region to call. Empty: the one that the id of the pool names. Only a replica of a pool needs it.',
      pattern: /^[a-z]{2}(-[a-z]+)+-\d+$/,
      must: 'a region such as us-west-2',
    }),
    'role-to-assume': roleToAssume,
    'auth-flow': input.oneOf(['ADMIN_USER_PASSWORD_AUTH', 'USER_PASSWORD_AUTH'], {
      about:
        'How to log in. `ADMIN_USER_PASSWORD_AUTH` needs AWS credentials with `cognito-idp:AdminInitiateAuth`, `USER_PASSWORD_AUTH` none; the app client must allow it.',
      fallback: 'ADMIN_USER_PASSWORD_AUTH',
    }),
    'revoke-refresh-token': input.boolean({
      about:
        'Revoke the refresh token right after the login. Cognito itself then takes the access token no more; the id token lives on until it expires.',
      fallback: 'true',
    }),
  },
  outputs: {
    'id-token': 'The id token, masked. It does not cross jobs: GitHub drops outputs with a masked value.',
    'access-token': 'The access token, masked.',
    'expires-at': 'When the id token expires, UTC.',
    subject: "The user's id in the pool (claim `sub`).",
  },
  post: false,
})
