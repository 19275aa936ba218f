import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { ProviderWorld } from './provider-world.ts'

/**
 * What every provider must do, whatever its cloud is like.
 * @param open makes a fresh world for each test
 */
export function describeProvider(name: string, open: () => Promise<ProviderWorld>): void {
  describe(`${name} as a provider of machines`, () => {
    let world: ProviderWorld
    beforeEach(async () => {
      world = await open()
    })
    afterEach(async () => {
      await world.close()
    })

    test('starts with a world in which nothing lives', async () => {
      expect(await world.living()).toEqual([])
    })
  })
}
