/** A source of chance that gives the same for the same seed, on every computer. */
export interface Random {
  /** 0 ≤ x < 1 */
  number(): number
  /** A whole number, both ends included. */
  integer(from: number, to: number): number
  /** A number between both ends with two decimals, so that what is printed is what was used. */
  between(from: number, to: number): number
  chance(probability: number): boolean
  pick<T>(things: readonly [T, ...T[]]): T
  shuffle<T>(things: readonly T[]): readonly T[]
}

/** Of mixed words a well-spread seed (FNV-1a), so that neighbouring indices have nothing in common. */
export function seedOf(...words: readonly (string | number)[]): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(words.join('/'))) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

/** mulberry32: small, seedable, good enough to choose drills. */
export function createRandom(seed: number): Random {
  let state = seed | 0
  const number = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const integer = (from: number, to: number): number => from + Math.floor(number() * (to - from + 1))
  return {
    number,
    integer,
    between: (from, to) => Math.round((from + number() * (to - from)) * 100) / 100,
    chance: probability => number() < probability,
    pick: things => things[integer(0, things.length - 1)] ?? things[0],
    shuffle(things) {
      const left = [...things]
      return things.flatMap(() => left.splice(integer(0, left.length - 1), 1))
    },
  }
}
