/** Words that inputs, arguments of the host program and records share; without imports, so that reading them is quick. */
export const modes = ['train', 'inference'] as const
export const precisions = ['auto', 'bf16', 'fp16', 'fp32', 'tf32'] as const
export const memoryFormats = ['channels_last', 'contiguous'] as const
export const profileNames = ['quick', 'standard', 'full'] as const
export const preflightNeeds = ['off', 'warn', 'require'] as const
export const preflightLevels = ['quick', 'all'] as const
