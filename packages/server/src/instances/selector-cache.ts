import type { PoolFacts } from './claim-plan.ts'
import { isOpen } from './claim-refusal.ts'
import { type Selector, selectorKey } from './instance.ts'

/**
 * Which pools a group or label keys stand for, for a second: where the warm path looks first. Whoever is not served there
 * is looked after with what is true then.
 */
export type SelectorCache = {
  /** Names of the pools to try, the best first; a few at most. */
  candidates(selector: Selector): Promise<readonly string[]>
}

const freshMs = 1_000
/** Pools that are tried one after the other before all are looked at together. */
const maxTries = 2
const maxEntries = 1_000

export function createSelectorCache(read: (selector: Selector) => Promise<readonly PoolFacts[]>): SelectorCache {
  const known = new Map<string, { readonly names: Promise<readonly string[]>; readonly until: number }>()

  return {
    async candidates(selector) {
      if (selector.kind === 'pool') return [selector.pool]
      const key = selectorKey(selector)
      const entry = known.get(key)
      if (entry !== undefined && performance.now() < entry.until) return entry.names
      const names = read(selector).then((pools) =>
        pools
          .filter((pool) => isOpen(pool) && !pool.hasExclusiveLine && !pool.hasSharedLine)
          .map(({ name }) => name)
          .slice(0, maxTries),
      )
      if (known.size >= maxEntries) known.clear()
      known.set(key, { names, until: performance.now() + freshMs })
      names.catch(() => known.delete(key))
      return names
    },
  }
}
