import type { Contexts, Plain } from './expressions.ts'
import { evaluate, textOf } from './expressions.ts'
import type { Template } from './template.ts'
import type { CallInterface, InputDefinition } from './workflow.ts'

/** Inputs that were checked and given their declared types, or every fault of them. */
export interface CheckedInputs {
  readonly values: Readonly<Record<string, Plain>>
  readonly faults: readonly string[]
}

const zeroOf = (input: InputDefinition): Plain => {
  if (input.type === 'boolean') return false
  if (input.type === 'number') return 0
  return input.type === 'choice' ? (input.options[0] ?? '') : ''
}

function dispatchValue(input: InputDefinition, given: string | undefined): { value: Plain; fault?: string } {
  if (given === undefined || given === '') {
    const fallback = input.fallback === null ? null : evaluate(input.fallback, {})
    if (fallback !== null && fallback !== '') return dispatchValue({ ...input, fallback: null }, textOf(fallback))
    const fault = input.required ? { fault: `input '${input.name}' is required and was not given` } : {}
    return { value: zeroOf(input), ...fault }
  }
  if (input.type === 'boolean') {
    if (given !== 'true' && given !== 'false') {
      return { value: false, fault: `input '${input.name}' is a boolean: true or false, not '${given}'` }
    }
    return { value: given === 'true' }
  }
  if (input.type === 'number') {
    const value = Number(given)
    return Number.isNaN(value) ? { value: 0, fault: `input '${input.name}' is a number, not '${given}'` } : { value }
  }
  if (input.type === 'choice' && !input.options.includes(given)) {
    return { value: given, fault: `input '${input.name}' must be one of ${input.options.join(', ')}, not '${given}'` }
  }
  return { value: given }
}

/** Checks what a person types into the form of `workflow_dispatch`. */
export function checkDispatchInputs(
  definitions: readonly InputDefinition[],
  given: Readonly<Record<string, string>>,
): CheckedInputs {
  const names = definitions.map(input => input.name)
  const unknown = Object.keys(given).filter(name => !names.includes(name))
  const checked = definitions.map(input => ({ name: input.name, ...dispatchValue(input, given[input.name]) }))
  return {
    values: Object.fromEntries(checked.map(({ name, value }) => [name, value])),
    faults: [
      ...unknown.map(name => `there is no input '${name}' (there are: ${names.join(', ') || 'none'})`),
      ...checked.flatMap(({ fault }) => (fault === undefined ? [] : [fault])),
    ],
  }
}

const typeOf = (input: InputDefinition) => (input.type === 'choice' ? 'string' : input.type)

function callValue(input: InputDefinition, given: Plain | undefined): { value: Plain; fault?: string } {
  if (given === undefined) {
    const fault = input.required ? { fault: `input '${input.name}' is required, but not provided while calling` } : {}
    const fallback = input.fallback === null ? null : evaluate(input.fallback, {})
    return { value: fallback ?? zeroOf(input), ...fault }
  }
  const type = typeOf(input)
  if (type === 'string') return { value: textOf(given) }
  if (typeof given === type) return { value: given }
  return { value: zeroOf(input), fault: `input '${input.name}' is a ${type}, but a ${typeof given} was passed` }
}

/** Checks what a job passes to a reusable workflow with `with:`; types are strict there, as on GitHub. */
export function checkCallInputs(call: CallInterface, given: Readonly<Record<string, Plain>>): CheckedInputs {
  const names = call.inputs.map(input => input.name)
  const checked = call.inputs.map(input => ({ name: input.name, ...callValue(input, given[input.name]) }))
  return {
    values: Object.fromEntries(checked.map(({ name, value }) => [name, value])),
    faults: [
      ...Object.keys(given)
        .filter(name => !names.includes(name))
        .map(name => `invalid input, '${name}' is not defined in the called workflow`),
      ...checked.flatMap(({ fault }) => (fault === undefined ? [] : [fault])),
    ],
  }
}

/** The secrets a reusable workflow gets: all of the caller's with `inherit`, else those that are passed by name. */
export function checkCallSecrets(
  call: CallInterface,
  passed: Template | 'inherit' | null,
  own: Readonly<Record<string, string>>,
  contexts: Contexts,
): { readonly values: Readonly<Record<string, string>>; readonly faults: readonly string[] } {
  if (passed === 'inherit') return { values: own, faults: [] }
  const entries = passed?.kind === 'map' ? passed.entries : []
  const names = call.secrets.map(secret => secret.name)
  const given = entries.map(entry => entry.key)
  return {
    values: Object.fromEntries(entries.map(({ key, value }) => [key, textOf(evaluate(value, contexts))])),
    faults: [
      ...given
        .filter(name => !names.includes(name))
        .map(name => `invalid secret, '${name}' is not defined in the called workflow`),
      ...call.secrets
        .filter(secret => secret.required && !given.includes(secret.name))
        .map(secret => `secret '${secret.name}' is required, but not provided while calling`),
    ],
  }
}
