import { describeProvider } from './describe-provider.ts'
import { openMarklessCloud } from './markless-cloud.ts'
import { openTaggingCloud } from './tagging-cloud.ts'

describeProvider('a cloud that takes marks and tokens', () => openTaggingCloud(), ['reuseId'])
describeProvider('a cloud that takes marks and tokens, with spot machines', () => openTaggingCloud('spot'), ['reuseId'])
describeProvider('a cloud without marks, tokens and an end by itself', openMarklessCloud, ['interrupt', 'leaveStray'])
