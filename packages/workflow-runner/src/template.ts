import { registerHooks } from 'node:module'
import type * as workflowParser from '@actions/workflow-parser'
import type * as actionParser from '@actions/workflow-parser/actions/index'
import type * as ifCondition from '@actions/workflow-parser/model/converter/if-condition'
import type { TemplateContext } from '@actions/workflow-parser/templates/template-context'
import type { TemplateToken } from '@actions/workflow-parser/templates/tokens/template-token'
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

interface Parser {
  readonly workflow: typeof workflowParser
  readonly action: typeof actionParser
  readonly condition: typeof ifCondition
}

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
    const workflow = await import('@actions/workflow-parser')
    const action = await import('@actions/workflow-parser/actions/index')
    const condition = await import('@actions/workflow-parser/model/converter/if-condition')
    return { workflow, action, condition }
  } finally {
    hooks.deregister()
  }
}

const loadParser = () => (parser ??= importParser())

const lineOf = (file: string, token: TemplateToken): Place => ({ file, line: token.range?.start.line ?? 1 })

function toTemplate(file: string, token: TemplateToken, context: TemplateContext, loaded: Parser): Template {
  const place = lineOf(file, token)
  const { isMapping, isSequence, isBasicExpression, isString, isNumber, isBoolean } = loaded.workflow
  if (isBasicExpression(token)) return { kind: 'expression', expression: token.expression, place }
  if (isString(token) || isNumber(token) || isBoolean(token)) return { kind: 'scalar', value: token.value, place }
  if (isSequence(token)) {
    return { kind: 'list', items: Array.from(token, item => toTemplate(file, item, context, loaded)), place }
  }
  if (!isMapping(token)) return { kind: 'scalar', value: null, place }
  const entries = Array.from(token, ({ key, value }) => {
    if (!isString(key)) throw new WorkflowFault([unsupported(lineOf(file, key), 'an expression as a key')])
    const condition =
      key.value === 'if' && takesStatusFunctions(value) ? loaded.condition.convertToIfCondition(context, value) : value
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

/** Parses a workflow with GitHub's parser and schema; throws WorkflowFault with line and column of every fault. */
export async function parseWorkflow(file: string, content: string): Promise<Template> {
  const loaded = await loadParser()
  const { parseWorkflow: parse, convertWorkflowTemplate, NoOperationTraceWriter } = loaded.workflow
  const { context, value } = parse({ name: file, content }, new NoOperationTraceWriter())
  throwFaults(file, context)
  if (value === undefined) throw new WorkflowFault([`${file}: the file is empty`])
  // The conversion is run for its checks alone: cycles in needs, duplicate ids, missing jobs.
  await convertWorkflowTemplate(context, value)
  throwFaults(file, context)
  const template = toTemplate(file, value, context, loaded)
  throwFaults(file, context)
  return template
}

/** Parses an action.yml with GitHub's parser and schema; throws WorkflowFault with line and column of every fault. */
export async function parseAction(file: string, content: string): Promise<Template> {
  const loaded = await loadParser()
  const { context, value } = loaded.action.parseAction(
    { name: file, content },
    new loaded.workflow.NoOperationTraceWriter(),
  )
  throwFaults(file, context)
  if (value === undefined) throw new WorkflowFault([`${file}: the file is empty`])
  return toTemplate(file, value, context, loaded)
}
