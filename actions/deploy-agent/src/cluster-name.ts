/** The longest name that the API takes. */
const longest = 63

/**
 * The name of this step's cluster, `[a-z0-9-]`, at most 63 characters: nobody else has it, so that a cluster can be found
 * by it when the reply that named its id was lost.
 * @param id of the lease, or of the run and the machine
 */
export function clusterName(base: string, id: string): string {
  const tail = id
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
    .slice(-40)
    .replace(/^-/, '')
  return `${base.slice(0, longest - tail.length - 1).replace(/-+$/, '')}-${tail}`
}
