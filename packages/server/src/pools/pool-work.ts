import { sleep } from '../kube/deadline.ts'
import type { PodDeleter } from './pod-deleter.ts'
import type { PodHolds } from './pod-holds.ts'
import type { PodIndex } from './pod-index.ts'
import type { PoolWork } from './pool-changes.ts'
import type { PoolEntry } from './pool-entry.ts'

export type PoolWorkOptions = {
  readonly holds: PodHolds
  readonly deleter: PodDeleter
  readonly entries: ReadonlyMap<string, PoolEntry>
  readonly index: PodIndex
  readonly wake: (poolUid: string) => void
  readonly onWork: (listener: (work: PoolWork) => void) => () => void
  /** True: this can never succeed, and nothing is tried again. */
  readonly onError: (error: unknown) => boolean
  readonly signal: AbortSignal
}

/**
 * What waits for the controller in tables: pods to be deleted, requests that want a scale-up step, pods that have been idle
 * for too long. Each is looked for when somebody says so, and once a second.
 */
export async function runPoolWork(options: PoolWorkOptions): Promise<void> {
  const { holds, deleter, signal } = options
  const retired = looker(options, () => readRetired(holds, deleter, cursor))
  const steps = looker(options, () => readLines(options))
  const cursor = { no: 0 }
  const lookers: Readonly<Record<PoolWork, () => void>> = { retired, steps }
  const stopListening = options.onWork((work) => lookers[work]())
  const recycling = recycle(options, retired)
  try {
    for (let round = 0; !signal.aborted; round += 1) {
      // What committed out of its order is found by a second look at the last ones, or at all of them now and then.
      cursor.no = round % fullEvery === 0 ? 0 : Math.max(0, cursor.no - overlap)
      retired()
      steps()
      deleter.look()
      await attempt(options, () => drain(options, retired))
      if (round % heldEvery === 0) await attempt(options, () => readHeld(options))
      if (round % forgetEvery === 0) await attempt(options, () => holds.forgetRetired(forgetSeconds))
      await sleep(lookMs, signal).catch(() => {})
    }
  } finally {
    stopListening()
    await recycling
  }
}

const lookMs = 1_000
const fullEvery = 30
const overlap = 2_000
const heldEvery = 10
const forgetEvery = 60
/** Late events of a watch are not that late. */
const forgetSeconds = 600
/** Rows of one read. */
const page = 1_000
/** Between two looks, however often somebody asks for one. */
const restMs = 10
const maxRecycled = 500

async function attempt(options: PoolWorkOptions, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!options.signal.aborted) options.onError(error)
  }
}

/** Asked while it looks, it looks once more. */
function looker(options: PoolWorkOptions, look: () => Promise<void>): () => void {
  let isAsked = false
  let isLooking = false
  return () => {
    isAsked = true
    if (isLooking) return
    isLooking = true
    void (async () => {
      while (isAsked && !options.signal.aborted) {
        isAsked = false
        await attempt(options, look)
        await sleep(restMs, options.signal).catch(() => {})
      }
      isLooking = false
    })()
  }
}

async function readRetired(holds: PodHolds, deleter: PodDeleter, cursor: { no: number }): Promise<void> {
  for (;;) {
    const pods = await holds.retiredAfter(cursor.no, page)
    deleter.add(pods)
    cursor.no = pods.at(-1)?.no ?? cursor.no
    if (pods.length < page) return
  }
}

/** Pools are looked at whose lines want steps, and those in which requests begin or cease to wait. */
async function readLines({ holds, entries, wake }: PoolWorkOptions): Promise<void> {
  const owing = [...entries.values()].filter(({ owed }) => owed > 0).map((entry) => ({ entry, takes: entry.takes }))
  const lines = await holds.waiting()
  // Whoever does not wait any more is owed nothing; whose step was taken meanwhile may not have been read.
  for (const { entry, takes } of owing)
    if (entry.takes === takes) entry.owed = Math.min(entry.owed, lines.get(entry.pool.seq)?.requests ?? 0)
  for (const entry of entries.values()) {
    const { steps = 0, requests = 0, idleShared = 0 } = lines.get(entry.pool.seq) ?? {}
    const isNews = (entry.pool.scalable && steps > 0) || requests > 0 !== entry.waiting > 0 || idleShared > 0
    entry.steps = entry.pool.scalable ? steps : 0
    entry.waiting = requests
    entry.idleShared = idleShared
    if (isNews) wake(entry.pool.uid)
  }
}

/** What kept a pool from giving up pods may have ended, and nobody says so of shared ones. */
async function readHeld({ entries, holds, wake }: PoolWorkOptions): Promise<void> {
  for (const entry of [...entries.values()]) {
    if (entry.held.size === 0) continue
    const held = await holds.heldIn(entry.pool.seq)
    entry.held = new Set(held.map((pod) => pod.uid))
    wake(entry.pool.uid)
  }
}

/** A shared pod of a drained pool is idle when its last instance ends, and nobody says so. */
async function drain({ entries, index, holds }: PoolWorkOptions, retired: () => void): Promise<void> {
  const draining: number[] = []
  for (const { pool, retired } of entries.values()) {
    if (!pool.draining) continue
    for (const { uid } of index.podsOf(pool.uid)) {
      if (retired.has(uid)) continue
      draining.push(pool.seq)
      break
    }
  }
  if (draining.length === 0) return
  await holds.close(draining, 'drained')
  retired()
}

async function recycle(options: PoolWorkOptions, retired: () => void): Promise<void> {
  const { holds, signal } = options
  while (!signal.aborted) {
    let waitMs = lookMs
    await attempt(options, async () => {
      const { retired: count, nextMs } = await holds.recycle(maxRecycled)
      if (count > 0) retired()
      if (nextMs !== undefined) waitMs = Math.min(lookMs, Math.max(restMs, nextMs))
    })
    await sleep(waitMs, signal).catch(() => {})
  }
}
