import { registerHooks } from 'node:module'
import type { TemplateContext } from '@actions/workflow-parser/templates/template-context'
import type { TemplateToken } from '@actions/workflow-parser/templates/tokens/template-token'
import type * as parserModules from './parser-modules.ts'
import type { Place } from './faults.ts'
import { unsupported, WorkflowFault } from './faults.ts'

type Scalar = string | number | boolean | null

/** A piece of a workflow or action file after GitHub's parser, with its expressions not yet evaluated. */
export type Template =
  | { readonly kind: 'scalar'; readonly value: Scalar; readonly place: Place }
  | { readonly kind: 'expression'; readonly expression: string; readonly place: Place }
  | { readonly kind: 'list'; readonly items: readonly Template[]; readonly place: Place }
  | { readonly kind: 'map'; readonly entries: readonly Entry[]; readonly place: Place }

export interface Entry {
  readonly key: string
  readonly value: Template
  readonly place: Place
}

type Parser = typeof parserModules

let parser: Promise<Parser> | undefined

/**
 * GitHub's parser imports its schemas as JSON without an import attribute, which plain Node refuses. The hook adds the
 * attribute; it has to be there before the import, which is why the import is a dynamic one.
 */
async function importParser(): Promise<Parser> {
  const hooks = registerHooks({
    load: (url, context, nextLoad) =>
      url.endsWith('.min.json')
        ? nextLoad(url, { ...context, importAttributes: { ...context.importAttributes, type: 'json' } })
        : nextLoad(url, context),
  })
  try {
    return await import('./parser-modules.ts')
  } finally {
    hooks.deregister()
  }
}

const loadParser = () => (parser ??= importParser())

const lineOf = (file: string, token: TemplateToken): Place => ({ file, line: token.range?.start.line ?? 1 })

function toTemplate(file: string, token: TemplateToken, context: TemplateContext, loaded: Parser): Template {
  const place = lineOf(file, token)
  const { isMapping, isSequence, isBasicExpression, isString, isNumber, isBoolean } = loaded
  if (isBasicExpression(token)) return { kind: 'expression', expression: token.expression, place }
  if (isString(token) || isNumber(token) || isBoolean(token)) return { kind: 'scalar', value: token.value, place }
  if (isSequence(token)) {
    return { kind: 'list', items: Array.from(token, item => toTemplate(file, item, context, loaded)), place }
  }
  if (!isMapping(token)) return { kind: 'scalar', value: null, place }
  const entries = Array.from(token, ({ key, value }) => {
    if (!isString(key)) throw new WorkflowFault([unsupported(lineOf(file, key), 'an expression as a key')])
    const condition =
      key.value === 'if' && takesStatusFunctions(value) ? loaded.convertToIfCondition(context, value) : value
    return { key: key.value, value: toTemplate(file, condition ?? value, context, loaded), place: lineOf(file, key) }
  })
  return { kind: 'map', entries, place }
}

/** True for the `if` of jobs and steps, false for an input or a variable that happens to be called `if`. */
const takesStatusFunctions = (token: TemplateToken) =>
  (token.definitionInfo?.allowedContext ?? []).some(name => name.startsWith('always('))

function throwFaults(file: string, context: TemplateContext): void {
  const faults = context.errors.getErrors().map(error => `${file}: ${error.message}`)
  if (faults.length > 0) throw new WorkflowFault(faults)
}

/**
 * Reads the tokens of a file. GitHub's editor library hands a block scalar that holds an expression over as it stands in
 * the file, with its indentation; the runner's parser does not, so the source is taken off such tokens first.
 */
function readTokens(loaded: Parser, kind: 'workflow' | 'action', file: string, content: string) {
  const schema = kind === 'workflow' ? loaded.getWorkflowSchema() : loaded.getActionSchema()
  const root = kind === 'workflow' ? loaded.WORKFLOW_ROOT : loaded.ACTION_ROOT
  const context = new loaded.TemplateContext(
    new loaded.TemplateValidationErrors(),
    schema,
    new loaded.NoOperationTraceWriter(),
  )
  const fileId = context.getFileId(file)
  const reader = new loaded.YamlObjectReader(fileId, content)
  for (const error of reader.errors) context.error(fileId, error.message, error.range)
  throwFaults(file, context)
  const readLiteral = reader.allowLiteral.bind(reader)
  reader.allowLiteral = () => {
    const token = readLiteral()
    if (token === undefined || !loaded.isString(token)) return token
    return new loaded.StringToken(token.file, token.range, token.value, token.definitionInfo)
  }
  const value = loaded.readTemplate(context, root, reader, fileId)
  throwFaults(file, context)
  if (value === undefined) throw new WorkflowFault([`${file}: the file is empty`])
  return { context, value }
}

/** Parses a workflow with GitHub's parser and schema; throws WorkflowFault with line and column of every fault. */
export async function parseWorkflow(file: string, content: string): Promise<Template> {
  const loaded = await loadParser()
  const { context, value } = readTokens(loaded, 'workflow', file, content)
  // The conversion is run for its checks alone: cycles in needs, duplicate ids, missing jobs.
  await loaded.convertWorkflowTemplate(context, value)
  throwFaults(file, context)
  const template = toTemplate(file, value, context, loaded)
  throwFaults(file, context)
  return template
}

/** Parses an action.yml with GitHub's parser and schema; throws WorkflowFault with line and column of every fault. */
export async function parseAction(file: string, content: string): Promise<Template> {
  const loaded = await loadParser()
  const { context, value } = readTokens(loaded, 'action', file, content)
  return toTemplate(file, value, context, loaded)
}
