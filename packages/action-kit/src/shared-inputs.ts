import { text } from './inputs.ts'

/** The same in every action that calls AWS. */
export const roleToAssume = text({
  about:
    "AWS role that the step takes with the job's OIDC token (`permissions: id-token: write`), and takes again when its credentials have run out. Empty: the AWS credentials of the job.",
  pattern: /^arn:aws[\w-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/,
  must: 'the ARN of a role such as arn:aws:iam::123456789012:role/gpu-actions-ci',
})
