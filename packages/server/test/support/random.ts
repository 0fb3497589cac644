export type Random = ReturnType<typeof createRandom>

/** Mulberry32: the same decisions for the same seed. */
export function createRandom(seed: number) {
  let state = seed
  /** From 0 up to 1. */
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let x = Math.imul(state ^ (state >>> 15), 1 | state)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    /** A whole number from 0 up to n. */
    upTo: (n: number) => Math.floor(next() * n),
    chance: (p: number) => next() < p,
    pick: <T>(items: readonly T[]): T | undefined => items[Math.floor(next() * items.length)],
  }
}
