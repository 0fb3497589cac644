import { setTimeout as delay } from 'node:timers/promises'
import type { Database } from '../store/database.ts'
import { readHeld, readPools } from './claim-reads.ts'
import { whyNothing } from './claim-refusal.ts'
import { batchIds, type Instance, selectorKey } from './instance.ts'
import { findInstances } from './instance-read.ts'
import { createMatcher } from './line-matcher.ts'
import { hearBound } from './line-replica.ts'
import {
  beatReplica,
  dropClosed,
  dropDead,
  expireWaiters,
  leaveLine,
  poolsToMatch,
  stillWaiting,
} from './line-sweep.ts'
import { createWaits, type NewWait, type WaitEnd, type WaitFor } from './line-waits.ts'

/** The line as one process sees it: its clients that wait, and what it does so that none waits in vain. */
export type LineKeeper = {
  /** Resolves when other replicas can know that this process lives. */
  ready(): Promise<void>
  wait(waiterId: string, wait: Omit<NewWait, 'deadlineAt'>): Promise<WaitEnd>
  /** Takes these out of the line; those that were still in it. */
  leave(waiterIds: readonly string[]): Promise<readonly string[]>
  match(poolIds: readonly number[]): void
  sweep(): Promise<void>
  /** `each` is done each second beside the sweep. */
  run(signal: AbortSignal, each: () => Promise<void>): Promise<void>
  standDown(): Promise<void>
  kill(): void
}

const sweepMs = 1_000
const beatMs = 3_000
/** How often a repeat looks whether the first, which waits through another process, was served. */
const foreignMs = 100

export function createLineKeeper(options: {
  readonly db: Database
  readonly replica: string
  readonly tenantAffinity: boolean
  readonly onError: (error: unknown) => void
  /** How many clients wait here, after each change and each second. */
  readonly onWaiting: (count: number) => void
  /** Somebody in line was served: there are events. */
  readonly onBound: () => void
  /** Every few seconds: pods that a hint passed over are seen again. */
  readonly forgetHints: () => void
}): LineKeeper {
  const { db, replica } = options
  const waits = createWaits()
  /** Told before its wait was known: the wake-up was quicker than the answer to our own commit. */
  const early = new Map<string, readonly Instance[]>()
  let firstBeat: Promise<void> | undefined
  let beatenAt = 0
  let isKilled = false
  let dueAt = Number.POSITIVE_INFINITY
  let timer: NodeJS.Timeout | undefined

  function tellBound(waiterId: string, instances: readonly Instance[]): void {
    if (waits.get(waiterId) !== undefined) waits.tellBound(waiterId, instances)
    else early.set(waiterId, instances)
    if (early.size > 10_000) early.delete(early.keys().next().value as string)
  }

  const matcher = createMatcher({
    db,
    replica,
    tenantAffinity: options.tenantAffinity,
    onBound: (waiterId, instances) => {
      options.onBound()
      tellBound(waiterId, instances)
    },
    onError: (error) => {
      if (!isKilled) options.onError(error)
    },
  })

  /** Reads what others bound for waiters of this process. */
  async function fetchBound(waiterIds: readonly string[]): Promise<void> {
    const ids = waiterIds.flatMap((id) => batchIds(id, waits.get(id)?.count ?? 1))
    if (ids.length === 0) return
    const found = new Map((await findInstances(db, ids)).map((instance) => [instance.id, instance]))
    for (const id of waiterIds) {
      const count = waits.get(id)?.count ?? 1
      const instances = batchIds(id, count).flatMap((one) => found.get(one) ?? [])
      if (instances.length === count) tellBound(id, instances)
    }
  }

  async function beat(): Promise<void> {
    await beatReplica(db, replica)
    beatenAt = performance.now()
  }

  async function sweep(): Promise<void> {
    if (firstBeat === undefined || performance.now() - beatenAt > beatMs) {
      firstBeat = beat()
      await firstBeat
    }
    for (;;) {
      const late = await expireWaiters(db, replica)
      await tellLate(late.ids)
      matcher.match(late.poolIds)
      if (late.ids.length < 1_000) break
    }
    const closed = await dropClosed(db, replica)
    await tellLate(closed.ids)
    matcher.match((await dropDead(db)).poolIds)
    const watched = waits.list()
    options.onWaiting(watched.length)
    await lookAfter(watched)
    matcher.match(await poolsToMatch(db))
    schedule(waits.nextDeadline())
  }

  /** Waits whose waiter is not in line any more, and nobody told: they were bound, or dropped because we seemed dead. */
  async function lookAfter(watched: readonly WaitFor[]): Promise<void> {
    if (watched.length === 0) return
    const standing = await stillWaiting(
      db,
      watched.map(({ waiterId }) => waiterId),
    )
    const gone = watched.filter(({ waiterId }) => !standing.has(waiterId)).map(({ waiterId }) => waiterId)
    if (gone.length === 0) return
    await fetchBound(gone)
    for (const id of gone) {
      const wait = waits.get(id)
      if (wait === undefined || !watched.includes(wait)) continue
      if (performance.now() >= wait.deadlineAt) await tellLate([id])
      else waits.tell(id, { kind: 'again' })
    }
  }

  /** Waiters that were taken out of the line because nothing came. */
  async function tellLate(waiterIds: readonly string[]): Promise<void> {
    const reasons = new Map<string, Promise<string>>()
    const reasonOf = (wait: WaitFor) => {
      const key = selectorKey(wait.claim.selector)
      const reason =
        reasons.get(key) ??
        readPools(db, wait.claim.selector)
          .then((pools) => readHeld(db, pools))
          .then(whyNothing)
      reasons.set(key, reason)
      return reason
    }
    for (const id of waiterIds) {
      const wait = waits.get(id)
      if (wait === undefined) continue
      const pools = await readPools(db, wait.claim.selector)
      const reason = await reasonOf(wait)
      const refusal = pools.some((pool) => pool.status !== 5 && pool.status !== 6 && !pool.isDraining)
        ? ({ kind: 'timeout', reason } as const)
        : ({ kind: 'closed', reason } as const)
      waits.tell(id, { kind: 'outcome', outcome: { kind: 'refused', refusal } })
    }
  }

  /** A sweep at the first deadline, so that short waits end in time; the database's clock decides whether it is. */
  function schedule(at: number): void {
    if (at >= dueAt || isKilled || at === Number.POSITIVE_INFINITY) return
    clearTimeout(timer)
    dueAt = at
    timer = setTimeout(
      () => {
        dueAt = Number.POSITIVE_INFINITY
        sweep().catch((error) => {
          if (!isKilled) options.onError(error)
        })
      },
      Math.max(5, at - performance.now() + 1),
    )
  }

  async function every(ms: number, signal: AbortSignal, work: () => Promise<void> | void): Promise<void> {
    while (!signal.aborted) {
      try {
        await work()
      } catch (error) {
        if (!signal.aborted && !isKilled) options.onError(error)
      }
      await delay(ms, undefined, { signal }).catch(() => {})
    }
  }

  return {
    ready() {
      firstBeat ??= beat().catch((error) => {
        firstBeat = undefined
        throw error
      })
      return firstBeat
    },
    async wait(waiterId, wait) {
      const told = early.get(waiterId)
      if (told !== undefined) {
        early.delete(waiterId)
        return { kind: 'bound', instances: told }
      }
      const deadlineAt = performance.now() + wait.claim.timeoutMs
      if (wait.isOwn) schedule(deadlineAt)
      return waits.join(waiterId, { ...wait, deadlineAt })
    },
    async leave(waiterIds) {
      const { ids, poolIds } = await leaveLine(db, waiterIds)
      matcher.match(poolIds)
      return ids
    },
    match: (poolIds) => matcher.match(poolIds),
    sweep,
    async run(signal, each) {
      await Promise.all([
        every(sweepMs, signal, sweep),
        every(sweepMs, signal, each),
        every(5_000, signal, options.forgetHints),
        every(foreignMs, signal, () => lookAfter(waits.list().filter(({ isOwn }) => !isOwn))),
        hearBound(
          db,
          replica,
          {
            bound: (ids) => void fetchBound(ids).catch(() => {}),
            connected: () => void lookAfter(waits.list()).catch(() => {}),
          },
          signal,
        ),
      ])
    },
    async standDown() {
      clearTimeout(timer)
      dueAt = Number.NEGATIVE_INFINITY
      const own = waits.list().filter(({ isOwn }) => isOwn)
      const left = await leaveLine(
        db,
        own.map(({ waiterId }) => waiterId),
      )
      const stopping = { kind: 'outcome', outcome: { kind: 'refused', refusal: { kind: 'stopping' } } } as const
      for (const id of left.ids) waits.tell(id, stopping)
      matcher.match(left.poolIds)
      await matcher.idle()
      // Bound in this moment.
      await fetchBound(waits.list().map(({ waiterId }) => waiterId))
      waits.tellAll(stopping)
    },
    kill() {
      isKilled = true
      clearTimeout(timer)
    },
  }
}
