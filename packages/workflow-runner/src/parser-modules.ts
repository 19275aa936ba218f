/** The parts of GitHub's parser that are needed, to be imported as one, after its JSON imports were made loadable. */
export {
  convertWorkflowTemplate,
  isBasicExpression,
  isBoolean,
  isMapping,
  isNumber,
  isSequence,
  isString,
  NoOperationTraceWriter,
} from '@actions/workflow-parser'
export { ACTION_ROOT, getActionSchema } from '@actions/workflow-parser/actions/index'
export { convertToIfCondition } from '@actions/workflow-parser/model/converter/if-condition'
export { TemplateContext, TemplateValidationErrors } from '@actions/workflow-parser/templates/template-context'
export { readTemplate } from '@actions/workflow-parser/templates/template-reader'
export { StringToken } from '@actions/workflow-parser/templates/tokens/string-token'
export { WORKFLOW_ROOT } from '@actions/workflow-parser/workflows/workflow-constants'
export { getWorkflowSchema } from '@actions/workflow-parser/workflows/workflow-schema'
export { YamlObjectReader } from '@actions/workflow-parser/workflows/yaml-object-reader'
