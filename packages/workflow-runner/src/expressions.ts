import { data, Evaluator, Lexer, Parser } from '@actions/expressions'
import type { FunctionDefinition } from '@actions/expressions/funcs/info'
import type { Place } from './faults.ts'
import { at } from './faults.ts'
import type { Template } from './template.ts'

/** Values as they stand in JSON. */
export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [key: string]: Plain }

/** The contexts of an expression by name (`github`, `env`, `steps`, …); one that is absent evaluates to null. */
export type Contexts = Readonly<Record<string, Plain>>

/** What success(), failure() and cancelled() answer at a place. always() answers true. */
export interface Status {
  readonly success: boolean
  readonly failure: boolean
  readonly cancelled: boolean
}

const contextNames = [
  'github',
  'env',
  'vars',
  'job',
  'jobs',
  'steps',
  'runner',
  'secrets',
  'strategy',
  'matrix',
  'needs',
  'inputs',
]

const toData = (value: Plain): data.ExpressionData => {
  if (value === null) return new data.Null()
  if (typeof value === 'string') return new data.StringData(value)
  if (typeof value === 'number') return new data.NumberData(value)
  if (typeof value === 'boolean') return new data.BooleanData(value)
  if (isList(value)) return new data.Array(...value.map(toData))
  return new data.Dictionary(...Object.entries(value).map(([key, item]) => ({ key, value: toData(item) })))
}

const isList = (value: Plain): value is readonly Plain[] => Array.isArray(value)

const toPlain = (value: data.ExpressionData): Plain => {
  if (value instanceof data.Array) return value.values().map(toPlain)
  if (value instanceof data.Dictionary) {
    return Object.fromEntries(value.pairs().map(({ key, value: item }) => [key, toPlain(item)]))
  }
  return value instanceof data.Null ? null : value.value
}

const constant = (name: string, value: boolean): FunctionDefinition => ({
  name,
  minArgs: 0,
  maxArgs: 0,
  call: () => new data.BooleanData(value),
})

const hashFiles: FunctionDefinition = {
  name: 'hashFiles',
  minArgs: 1,
  maxArgs: 255,
  call: () => {
    throw new Error('hashFiles is not supported by this runner')
  },
}

/** Evaluates one expression (without its `${{ }}`) with GitHub's own engine. */
export function evaluateExpression(expression: string, contexts: Contexts, status?: Status): Plain {
  const functions = [
    hashFiles,
    constant('always', true),
    constant('success', status?.success ?? true),
    constant('failure', status?.failure ?? false),
    constant('cancelled', status?.cancelled ?? false),
  ]
  const tree = new Parser(new Lexer(expression).lex().tokens, contextNames, functions).parse()
  const known = new data.Dictionary(...contextNames.map(name => ({ key: name, value: toData(contexts[name] ?? null) })))
  return toPlain(new Evaluator(tree, known, new Map(functions.map(f => [f.name.toLowerCase(), f]))).evaluate())
}

/** Evaluates a template to plain values; a fault carries the file and line of its expression. */
export function evaluate(template: Template, contexts: Contexts, status?: Status): Plain {
  switch (template.kind) {
    case 'scalar':
      return template.value
    case 'list':
      return template.items.map(item => evaluate(item, contexts, status))
    case 'map':
      return Object.fromEntries(template.entries.map(({ key, value }) => [key, evaluate(value, contexts, status)]))
    case 'expression':
      try {
        return evaluateExpression(template.expression, contexts, status)
      } catch (cause) {
        throw expressionFault(template.place, template.expression, cause)
      }
  }
}

const expressionFault = (place: Place, expression: string, cause: unknown) =>
  new Error(at(place, `\${{ ${expression} }}: ${cause instanceof Error ? cause.message : String(cause)}`), { cause })

/** Text of a value as GitHub writes it into an environment variable: null is empty, objects are `Object`. */
export const textOf = (value: Plain): string => toData(value).coerceString()

/** What counts as true in a condition. */
export const truthy = (value: Plain): boolean =>
  !(value === null || value === false || value === '' || value === 0 || Number.isNaN(value))

/** Evaluates to text. */
export const evaluateText = (template: Template | null, contexts: Contexts, status?: Status): string =>
  template === null ? '' : textOf(evaluate(template, contexts, status))

/** Evaluates a map of texts (`env`, `with`, `outputs`); null is an empty map. */
export function evaluateMap(template: Template | null, contexts: Contexts): Record<string, string> {
  const value = template === null ? null : evaluate(template, contexts)
  if (value === null || typeof value !== 'object' || isList(value)) return {}
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, textOf(item)]))
}
