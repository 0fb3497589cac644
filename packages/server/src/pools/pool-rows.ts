import { sleep } from '../kube/deadline.ts'
import type { Database } from '../store/database.ts'
import type { Pool } from './pool.ts'
import type { ChangedPools } from './pool-changes.ts'
import { getPoolsByUid, listPools } from './pool-store.ts'

/** Reads the rows of pools that changed: what changes while one read runs is one more read, not one each. */
export type PoolRows = {
  /** Reads these rows soon, again and again while the database is down. Resolves when nothing more is to be read. */
  read(pools: ChangedPools): Promise<void>
}

export type PoolRowsOptions = {
  readonly db: Database
  /** The uids that were asked for and those rows of them that exist. `all`: everything that exists. */
  readonly onRead: (asked: ChangedPools, pools: readonly Pool[]) => void
  readonly onError: (error: unknown) => void
  readonly signal: AbortSignal
}

const maxWaitMs = 5_000

export function createPoolRows({ db, onRead, onError, signal }: PoolRowsOptions): PoolRows {
  let asked = new Set<string>()
  let isAllAsked = false
  let reading: Promise<void> | undefined

  async function readAll(): Promise<void> {
    for (let failures = 0; !signal.aborted && (isAllAsked || asked.size > 0); ) {
      const isAll = isAllAsked
      const uids = [...asked]
      asked = new Set()
      isAllAsked = false
      try {
        onRead(isAll ? 'all' : uids, await (isAll ? listPools(db) : getPoolsByUid(db, uids)))
        failures = 0
      } catch (error) {
        isAllAsked ||= isAll
        for (const uid of uids) asked.add(uid)
        if (signal.aborted) return
        onError(error)
        await sleep(Math.min(maxWaitMs, 100 * 2 ** failures++), signal).catch(() => {})
      }
    }
  }

  return {
    read(pools) {
      if (pools === 'all') isAllAsked = true
      else for (const uid of pools) asked.add(uid)
      reading ??= readAll().finally(() => {
        reading = undefined
      })
      return reading
    },
  }
}
