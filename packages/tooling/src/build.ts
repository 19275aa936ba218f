import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { buildBundles, type BuildSettings } from './bundling/build.ts'
import { root } from './repository.ts'

// Plain data in JavaScript: the type is ours to say.
const config = (await import(pathToFileURL(join(root, 'ncc.config.js')).href)) as { readonly default: BuildSettings }
const settings = config.default
const since = performance.now()
const stubs = await buildBundles(root, settings)
const seconds = ((performance.now() - since) / 1000).toFixed(1)
console.log(`${settings.output}/: ${stubs.join(', ')} in ${seconds} s`)
