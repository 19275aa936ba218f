import { glob, stat } from 'node:fs/promises'
import { isAbsolute, join, parse, relative, resolve, sep } from 'node:path'
import { filesOf, type ExtraFile } from '@gpu-actions/evidence'

/** A path below `extra/`: as in the workspace; what lies outside of it keeps its whole path, so that no two meet. */
function placeOf(source: string, workspace: string): string {
  const inside = relative(workspace, source)
  const path = inside.startsWith('..') || isAbsolute(inside) ? source.slice(parse(source).root.length) : inside
  return path.replaceAll(sep, '/')
}

/**
 * Finds the files that one entry of `path` names: a file, a folder with all in it, or a glob pattern.
 * @param workspace what relative entries start from
 */
export async function findExtraFiles(pattern: string, workspace: string): Promise<readonly ExtraFile[]> {
  const found = new Map<string, ExtraFile>()
  const add = (source: string): void => {
    found.set(source, { source, path: placeOf(source, workspace) })
  }
  for await (const match of globOrPath(pattern, workspace)) {
    const root = resolve(workspace, match)
    const kind = await stat(root).catch(() => undefined)
    if (kind?.isFile() === true) add(root)
    if (kind?.isDirectory() === true) for (const file of await filesOf(root)) add(join(root, file))
  }
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** A name that exists is taken as it is, even if it holds characters of a pattern. */
async function* globOrPath(pattern: string, workspace: string): AsyncGenerator<string> {
  const exists = await stat(resolve(workspace, pattern)).then(
    () => true,
    () => false,
  )
  if (exists) yield pattern
  else yield* glob(pattern, { cwd: workspace })
}
