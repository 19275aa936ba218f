import { defineAction, input } from '@gpu-actions/action-kit'

/** What a name may hold besides plain text. */
export const placeholders = ['instance-type', 'run_number', 'lease-id'] as const

export const collectEvidence = defineAction({
  name: 'collect-evidence',
  title: 'Collect evidence of a GPU benchmark',
  description:
    'Bundles lease, attempts, result, environment, receipt and logs of a job, and uploads them as an artifact.',
  post: false,
  inputs: {
    'lease-id': input.text({
      about: 'The lease to collect. Needed only when one job has several.',
      pattern: /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
      must: 'a lease id, as the output `lease-id` of the provision step gives it',
    }),
    name: input.text({
      about: `The artifact's name. It may hold ${placeholders.map(name => `\`{${name}}\``).join(', ')}. A name that is taken gets eight characters of the lease id behind it.`,
      fallback: 'benchmark-evidence-{instance-type}-{run_number}',
      pattern: /^[^":<>|*?\\/\p{Cc}]+$/u,
      must: 'a name without " : < > | * ? \\ / and control characters',
    }),
    'retention-days': input.integer({
      about: 'Days until GitHub deletes the artifact; a limit of the repository may be shorter.',
      fallback: '90',
      min: 1,
      max: 400,
    }),
    path: input.list({
      about: 'Extra files for the evidence: files, folders or glob patterns, relative to the workspace.',
    }),
    upload: input.boolean({
      about: 'Upload the evidence as an artifact. Without, it lies on the runner only.',
      fallback: 'true',
    }),
  },
  outputs: {
    'evidence-path': 'The folder of the evidence on the runner.',
    'artifact-name': 'The name under which it was uploaded; empty without an upload.',
    'artifact-id': 'The id of the artifact; empty without an upload.',
    'artifact-url': 'The page of the artifact; empty without an upload.',
    digest: 'The SHA-256 of the uploaded archive, in hexadecimal; empty without an upload.',
  },
  check: ({ name }) =>
    [...name.matchAll(/\{([^}]*)\}/g)]
      .filter(([, word]) => !placeholders.some(known => known === word))
      .map(([found]) => `name: knows no ${found}, only ${placeholders.map(known => `{${known}}`).join(', ')}`),
})
