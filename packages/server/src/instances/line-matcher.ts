import type { Database } from '../store/database.ts'
import type { Instance } from './instance.ts'
import { type Matched, matchBatch, matchShared, matchSimple } from './line-match.ts'

export type Matcher = {
  /** Looks at the lines of these pools; each pool's by one look at a time, and once more for whatever came meanwhile. */
  match(poolIds: readonly number[]): void
  /** Resolves when nothing is being looked at and nothing waits to be. */
  idle(): Promise<void>
}

/** Looks at once; the claims need connections, too. */
const maxLooks = 2

export function createMatcher(options: {
  readonly db: Database
  readonly replica: string
  readonly tenantAffinity: boolean
  /** Waiters of this process that got their instances. */
  readonly onBound: (waiterId: string, instances: readonly Instance[]) => void
  readonly onError: (error: unknown) => void
}): Matcher {
  const { db, replica, tenantAffinity } = options
  const pending = new Set<number>()
  const looking = new Set<number>()
  let idlers: (() => void)[] = []

  function start(): void {
    for (const poolId of pending) {
      if (looking.size >= maxLooks) return
      if (looking.has(poolId)) continue
      pending.delete(poolId)
      looking.add(poolId)
      void look(poolId)
    }
    if (looking.size > 0) return
    for (const idle of idlers) idle()
    idlers = []
  }

  async function look(poolId: number): Promise<void> {
    try {
      while (await once(poolId));
    } catch (error) {
      options.onError(error)
    } finally {
      looking.delete(poolId)
      start()
    }
  }

  /** Whether there may be more to hand out. */
  async function once(poolId: number): Promise<boolean> {
    const simple = tell(await matchSimple(db, poolId, replica))
    if (!simple.isBlocked && !simple.hasShared) return simple.bound.length === 256
    const batch = simple.isBlocked ? tell(await matchBatch(db, poolId, replica, tenantAffinity)) : undefined
    if (batch !== undefined && batch.bound.length > 0) return true
    return tell(await matchShared(db, poolId, replica, tenantAffinity)).bound.length > 0
  }

  function tell(matched: Matched): Matched {
    for (const { waiterId, replica: whose, instances } of matched.bound)
      if (whose === replica) options.onBound(waiterId, instances)
    return matched
  }

  return {
    match(poolIds) {
      for (const poolId of poolIds) pending.add(poolId)
      start()
    },
    idle: () =>
      looking.size === 0 && pending.size === 0 ? Promise.resolve() : new Promise((resolve) => idlers.push(resolve)),
  }
}
