import { stringify } from 'yaml'
import type { ActionDefinition } from '@gpu-actions/action-kit'

const header =
  '# Generated from src/action.ts by "npm run generate". The paths are those of a release, where dist/ lies beside.\n'

/** The text of an action's action.yml. */
export function actionYml({ name, title, description, inputs, outputs, post }: ActionDefinition): string {
  const metadata = {
    name: title,
    description,
    ...section('inputs', inputs, ({ about, fallback, required }) => ({
      description: about,
      required,
      ...(fallback === undefined ? {} : { default: fallback }),
    })),
    ...section('outputs', outputs, about => ({ description: about })),
    runs: { using: 'node24', main: `../dist/${name}.js`, ...(post ? { post: `../dist/${name}-post.js` } : {}) },
  }
  return header + stringify(metadata, { singleQuote: true, lineWidth: 120 })
}

// An empty mapping says nothing to a reader.
function section<T>(key: string, entries: Readonly<Record<string, T>>, write: (entry: T) => unknown): object {
  const written = Object.entries(entries).map(([id, entry]) => [id, write(entry)] as const)
  return written.length === 0 ? {} : { [key]: Object.fromEntries(written) }
}
