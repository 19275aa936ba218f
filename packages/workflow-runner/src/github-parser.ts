import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { convertJobs } from '@actions/workflow-parser/model/converter/jobs'
import { JSONObjectReader } from '@actions/workflow-parser/templates/json-object-reader'
import { TemplateSchema } from '@actions/workflow-parser/templates/schema/index'
import { TemplateContext, TemplateValidationErrors } from '@actions/workflow-parser/templates/template-context'
import { readTemplate } from '@actions/workflow-parser/templates/template-reader'
import { StringToken } from '@actions/workflow-parser/templates/tokens/string-token'
import type { TemplateToken } from '@actions/workflow-parser/templates/tokens/template-token'
import { isMapping, isString } from '@actions/workflow-parser/templates/tokens/type-guards'
import { NoOperationTraceWriter } from '@actions/workflow-parser/templates/trace-writer'
import { YamlObjectReader } from '@actions/workflow-parser/workflows/yaml-object-reader'
import { WorkflowFault } from './faults.ts'

/**
 * The package's own index imports its schemas as JSON without an import attribute, which Node refuses. So its parts are
 * imported one by one, without those that need the schemas, and the schemas are read as files.
 */
const schemas = {
  workflow: { file: 'workflow-v1.0.min.json', root: 'workflow-root-strict' },
  action: { file: 'action-v1.0.min.json', root: 'action-root-strict' },
} as const

export type Kind = keyof typeof schemas

const loaded = new Map<Kind, TemplateSchema>()

function schemaOf(kind: Kind): TemplateSchema {
  const known = loaded.get(kind)
  if (known !== undefined) return known
  const folder = new URL('..', import.meta.resolve('@actions/workflow-parser/templates/template-reader'))
  const json = readFileSync(fileURLToPath(new URL(schemas[kind].file, folder)), 'utf8')
  const schema = TemplateSchema.load(new JSONObjectReader(undefined, json))
  loaded.set(kind, schema)
  return schema
}

export function throwFaults(file: string, context: TemplateContext): void {
  const faults = context.errors.getErrors().map(error => `${file}: ${error.message}`)
  if (faults.length > 0) throw new WorkflowFault(faults)
}

/**
 * Reads the tokens of a file and checks them against GitHub's schema; throws WorkflowFault with line and column.
 *
 * GitHub's editor library hands a block scalar that holds an expression over as it stands in the file, with its
 * indentation; the runner's parser does not, so the source is taken off such tokens first.
 */
export function readTokens(
  kind: Kind,
  file: string,
  content: string,
): { context: TemplateContext; value: TemplateToken } {
  const context = new TemplateContext(new TemplateValidationErrors(), schemaOf(kind), new NoOperationTraceWriter())
  const fileId = context.getFileId(file)
  const reader = new YamlObjectReader(fileId, content)
  for (const error of reader.errors) context.error(fileId, error.message, error.range)
  throwFaults(file, context)
  const readLiteral = reader.allowLiteral.bind(reader)
  reader.allowLiteral = () => {
    const token = readLiteral()
    if (token === undefined || !isString(token)) return token
    return new StringToken(token.file, token.range, token.value, token.definitionInfo)
  }
  const value = readTemplate(context, schemas[kind].root, reader, fileId)
  throwFaults(file, context)
  if (value === undefined) throw new WorkflowFault([`${file}: the file is empty`])
  return { context, value }
}

/** GitHub's checks beyond the schema: cycles in needs, unknown needs, ids that are taken twice. */
export function checkJobs(file: string, context: TemplateContext, root: TemplateToken): void {
  const jobs = isMapping(root) ? root.find('jobs') : undefined
  if (jobs !== undefined) convertJobs(context, jobs)
  throwFaults(file, context)
}
