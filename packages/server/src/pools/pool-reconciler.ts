import { cleanText } from './cluster-failure.ts'
import { planPool } from './plan.ts'
import type { PoolObserved, StatusWrite } from './plan-types.ts'
import { handsOut } from './pool.ts'
import type { PoolActions } from './pool-actions.ts'
import type { PoolEntry } from './pool-entry.ts'
import { say } from './pool-events-text.ts'
import type { PoolMetrics } from './pool-metrics.ts'
import type { StatusWriter } from './status-writer.ts'
import type { WorkQueue } from './work-queue.ts'

export type ReconcilerOptions = {
  readonly actions: PoolActions
  readonly writer: StatusWriter
  readonly metrics: PoolMetrics
  /** The cluster as it is known now. */
  readonly look: (entry: PoolEntry) => PoolObserved
  readonly queue: WorkQueue
  readonly now: () => number
  readonly signal: AbortSignal
  /** The pool was changed by somebody else: its row is to be read again. */
  readonly reread: (poolUid: string) => void
  /** The pool's row is gone. */
  readonly drop: (poolUid: string) => void
  /** Whether the pool's pods may be had has changed. */
  readonly onHandsOut: (poolUid: string) => void
}

/** Steps for one pool before the others get their turn. */
const maxRounds = 6
/**
 * Milliseconds between two writes of nothing but how many pods are ready: while a pool fills, or pods are claimed and made
 * anew, that changes with each of them.
 */
const countRestMs = 500

/** Plans and performs until nothing is left to do for a pool now. Rejects only for what the database does. */
export function createReconciler(options: ReconcilerOptions) {
  const { actions, writer, metrics, queue, signal } = options

  async function reconcile(entry: PoolEntry): Promise<void> {
    const { uid } = entry.pool
    for (let round = 0; round < maxRounds; round += 1) {
      if (signal.aborted) return
      const plan = planPool(entry.pool, options.look(entry), options.now())
      tellMade(entry)
      let hasActed = false
      let hasWritten = false
      for (const action of plan) {
        if (signal.aborted) return
        switch (action.kind) {
          case 'wait-until':
            queue.addAt(uid, action.time)
            break
          case 'write-status':
            if (isCountAlone(action.write)) {
              const nextAt = entry.countedAt + countRestMs
              if (options.now() < nextAt) {
                queue.addAt(uid, nextAt)
                break
              }
              entry.countedAt = options.now()
            }
            hasWritten = true
            // Another status is another plan: a failed pool's autoscaler goes, for one.
            hasActed ||= action.write.status !== undefined
            if (!(await writeStatus(entry, action.write))) return
            break
          case 'remove-pool':
            return removePool(entry)
          default:
            // Pods are made in the background, and each of them wakes the pool.
            hasActed ||= action.kind !== 'create-pods'
            await actions.perform(entry, action)
        }
      }
      if (hasActed) continue
      if (!hasWritten && entry.events.length > 0) await writeStatus(entry, {})
      return
    }
    queue.add(uid)
  }

  /** One line for all the pods of a wave, when the wave is over. */
  function tellMade(entry: PoolEntry): void {
    if (entry.made.length === 0 || entry.creating.size > 0) return
    const message = `${say(entry.made)} ${entry.made.length === 1 ? 'was' : 'were'} created`
    entry.events.push({ type: 'Normal', reason: 'PodsCreated', message })
    entry.made = []
  }

  /** False: the pool was changed meanwhile, and is looked at again when that has been read. */
  async function writeStatus(entry: PoolEntry, write: StatusWrite): Promise<boolean> {
    // A copy: the story goes on while this is being written.
    const carried = [...entry.events]
    const pool = await writer.write({
      uid: entry.pool.uid,
      version: entry.pool.version,
      ...write,
      ...(write.notes === undefined ? {} : { notes: write.notes.map(cleanText) }),
      events: [...carried, ...(write.events ?? [])].map((event) => ({ ...event, message: cleanText(event.message) })),
    })
    if (pool === undefined) {
      options.reread(entry.pool.uid)
      return false
    }
    entry.events = entry.events.slice(carried.length)
    if (pool.version > entry.pool.version) {
      const didHandOut = handsOut(entry.pool)
      entry.pool = pool
      if (didHandOut !== handsOut(pool)) options.onHandsOut(pool.uid)
    }
    if (pool.observed.isDegraded === true) metrics.degraded.set({ pool: pool.id }, 1)
    else metrics.degraded.remove(pool.id)
    return true
  }

  async function removePool(entry: PoolEntry): Promise<void> {
    // Asked of the cluster itself: a row that goes before its objects leaves them behind for good.
    if (await actions.findRemains(entry)) return queue.add(entry.pool.uid)
    if (signal.aborted) return
    const { uid, version } = entry.pool
    const last = { type: 'Normal', reason: 'Deleted', message: 'nothing of the pool is left on the cluster' } as const
    if (await writer.remove({ uid, version, events: [...entry.events, last] })) options.drop(uid)
    else options.reread(uid)
  }

  return { reconcile }
}

const isCountAlone = ({ status, word, notes, events }: StatusWrite) => (status ?? word ?? notes ?? events) === undefined
