import type { ActionContext } from '@gpu-actions/action-kit'
import type { SweepAction } from './action.ts'

export type SweepContext = ActionContext<SweepAction['inputs'], SweepAction['outputs']>
