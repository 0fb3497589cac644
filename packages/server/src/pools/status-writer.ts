import { setImmediate as nextTurn } from 'node:timers/promises'
import { AppError } from '../errors.ts'
import type { Database } from '../store/database.ts'
import { type Lease, LeaseLost } from '../store/lease.ts'
import type { Pool } from './pool.ts'
import { type ObservedWrite, type PoolRemoval, removePools, writeObservedMany } from './pool-store.ts'

/**
 * Writes what the controller found out, many pools in one transaction: whatever is handed in while one transaction runs
 * goes into the next. 200 pools that change at once cost a few transactions, and a single one does not wait.
 */
export type StatusWriter = {
  /** The pool as it is now; undefined when it was changed meanwhile. */
  write(write: ObservedWrite): Promise<Pool | undefined>
  /** False when it was changed meanwhile. */
  remove(removal: PoolRemoval): Promise<boolean>
}

/** Pools in one transaction at most. */
const maxBatch = 500

export function createStatusWriter(db: Database, lease: Lease | undefined): StatusWriter {
  return {
    write: batched(async (writes: readonly ObservedWrite[]) => {
      const written = new Map((await writeObservedMany(db, lease, writes)).map((pool) => [pool.uid, pool]))
      return writes.map((write) => written.get(write.uid))
    }),
    remove: batched(async (removals: readonly PoolRemoval[]) => {
      const removed = new Set(await removePools(db, lease, removals))
      return removals.map((removal) => removed.has(removal.uid))
    }),
  }
}

type Waiting<Item, Result> = {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

function batched<Item, Result>(
  perform: (items: readonly Item[]) => Promise<readonly Result[]>,
): (item: Item) => Promise<Result> {
  let waiting: Waiting<Item, Result>[] = []
  let isFlushing = false

  async function settle(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await perform(batch.map((w) => w.item))
      batch.forEach((w, i) => {
        w.resolve(results[i] as Result)
      })
    } catch (error) {
      // One item that the database refuses must not hold up the others.
      const isShared = error instanceof LeaseLost || error instanceof AppError
      if (batch.length > 1 && !isShared) for (const one of batch) await settle([one])
      else for (const w of batch) w.reject(error)
    }
  }

  async function flush(): Promise<void> {
    isFlushing = true
    await nextTurn()
    while (waiting.length > 0) {
      const batch = waiting.slice(0, maxBatch)
      waiting = waiting.slice(maxBatch)
      await settle(batch)
    }
    isFlushing = false
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject })
      if (!isFlushing) void flush()
    })
}
