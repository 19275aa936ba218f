import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

interface Package {
  readonly name: string
  readonly version: string
  readonly license: string
  readonly text: string
}

/**
 * The licences of every npm package that a bundle contains, as one text. It is made from rolldown's list of modules:
 * ncc comes second and sees one file.
 * @param modules absolute paths of bundled modules
 */
export function licensesOf(modules: readonly string[]): string {
  const packages = new Map<string, Package>()
  for (const folder of new Set(modules.flatMap(module => packageFolder(module) ?? []))) {
    const found = readPackage(folder)
    packages.set(`${found.name}@${found.version}`, found)
  }
  // Hundreds of packages share a handful of texts: each text once, below all it holds for.
  const holders = new Map<string, string[]>()
  for (const [id, { license, text }] of [...packages].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const words = `${license}\n\n${text}`
    holders.set(words, [...(holders.get(words) ?? []), id])
  }
  return [...holders].map(([words, ids]) => `${ids.join('\n')}\n${words}`).join(`\n${'-'.repeat(80)}\n\n`)
}

const packagePath = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//

// Virtual modules carry a NUL or a scheme; our own sources are not below node_modules.
function packageFolder(module: string): string | undefined {
  if (module.includes('\0')) return undefined
  return packagePath.exec(module.replaceAll('\\', '/'))?.[1]
}

function readPackage(folder: string): Package {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<
    string,
    unknown
  >
  if (typeof name !== 'string' || typeof version !== 'string')
    throw new Error(`${folder}/package.json has no name or version`)
  const kind = typeof license === 'string' ? license : 'licence not named'
  return { name, version, license: kind, text: licenseText(folder) }
}

// AWS's packages of one repository carry the text; a few small ones leave it to the package above them.
function licenseText(folder: string): string {
  const file = readdirSync(folder).find(entry => /^(licen[cs]e|copying)(\.(md|txt))?$/i.test(entry))
  if (file !== undefined) return `${readFileSync(join(folder, file), 'utf8').trim()}\n`
  const above = dirname(folder)
  return above.includes('node_modules/') && existsSync(join(above, 'package.json')) ? licenseText(above) : ''
}
