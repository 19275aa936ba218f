import { convertToIfCondition } from '@actions/workflow-parser/model/converter/if-condition'
import type { TemplateContext } from '@actions/workflow-parser/templates/template-context'
import type { TemplateToken } from '@actions/workflow-parser/templates/tokens/template-token'
import {
  isBasicExpression,
  isBoolean,
  isMapping,
  isNumber,
  isSequence,
  isString,
} from '@actions/workflow-parser/templates/tokens/type-guards'
import type { Place } from './faults.ts'
import { unsupported, WorkflowFault } from './faults.ts'
import { checkJobs, readTokens, throwFaults } from './github-parser.ts'

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

const lineOf = (file: string, token: TemplateToken): Place => ({ file, line: token.range?.start.line ?? 1 })

function toTemplate(file: string, token: TemplateToken, context: TemplateContext): Template {
  const place = lineOf(file, token)
  if (isBasicExpression(token)) return { kind: 'expression', expression: token.expression, place }
  if (isString(token) || isNumber(token) || isBoolean(token)) return { kind: 'scalar', value: token.value, place }
  if (isSequence(token)) {
    return { kind: 'list', items: Array.from(token, item => toTemplate(file, item, context)), place }
  }
  if (!isMapping(token)) return { kind: 'scalar', value: null, place }
  const entries = Array.from(token, ({ key, value }) => {
    if (!isString(key)) throw new WorkflowFault([unsupported(lineOf(file, key), 'an expression as a key')])
    const condition = key.value === 'if' && takesStatusFunctions(value) ? convertToIfCondition(context, value) : value
    return { key: key.value, value: toTemplate(file, condition ?? value, context), place: lineOf(file, key) }
  })
  return { kind: 'map', entries, place }
}

/** True for the `if` of jobs and steps, false for an input or a variable that happens to be called `if`. */
const takesStatusFunctions = (token: TemplateToken) =>
  (token.definitionInfo?.allowedContext ?? []).some(name => name.startsWith('always('))

/** Parses a workflow with GitHub's parser and schema; throws WorkflowFault with line and column of every fault. */
export function parseWorkflow(file: string, content: string): Template {
  const { context, value } = readTokens('workflow', file, content)
  checkJobs(file, context, value)
  const template = toTemplate(file, value, context)
  throwFaults(file, context)
  return template
}

/** Parses an action.yml with GitHub's parser and schema; throws WorkflowFault with line and column of every fault. */
export function parseAction(file: string, content: string): Template {
  const { context, value } = readTokens('action', file, content)
  return toTemplate(file, value, context)
}
