import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { poolStatus } from '../pools/pool.ts'
import type { PoolScene, PoolScenes } from '../pools/pool-scenes.ts'
import type { Database } from '../store/database.ts'
import { type Lease, LeaseLost } from '../store/lease.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { decide, meanRefill, type ScalingInputs, settleSurplus } from './decide.ts'
import {
  type Counts,
  countClaimsUpTo,
  type DecisionDraft,
  readCounts,
  readNow,
  readStates,
  type ScalingState,
  stopCounting,
  writeScaling,
} from './scaling-store.ts'
import { createScheduleReader } from './schedule.ts'

export type ScalerDeps = {
  readonly db: Database
  /** Fences every write. */
  readonly lease: Lease | undefined
  readonly pools: PoolScenes
  readonly logger: Logger
  readonly metrics: Metrics
  readonly tuning?: Partial<ScalerTuning>
}

export type ScalerTuning = {
  /** Milliseconds between two looks at the pools, at least: a look may take a tenth of the time. */
  readonly everyMs: number
  /** How long there must have been too many pods before some are taken away, by the database's clock. */
  readonly surplusMs: number
  /** An instance's number is drawn before its commit: it is counted when the number is as old. */
  readonly commitMs: number
}

const defaultTuning: ScalerTuning = { everyMs: 1_000, surplusMs: 300_000, commitMs: 2_000 }

/** Claims are counted for so long at least before their rate is believed. */
const leastCountedMs = 10_000

const nothingKnown: ScalingState = {
  wanted: null,
  surplus: undefined,
  refillMs: undefined,
  countedSince: undefined,
}

/**
 * Decides once a second how many pods each pool with `autoscaling` is to have, stores every decision that changes that
 * number, and tells the controller. All that it goes by is in the database or on the cluster, so it goes on after a
 * restart, and in another replica, where it was.
 */
export function createScaler(deps: ScalerDeps) {
  const { db, lease, pools, logger } = deps
  const tuning = { ...defaultTuning, ...deps.tuning }
  const decisionsMade = deps.metrics.counter(
    'podyard_autoscale_decisions_total',
    'Changes of the number of pods that autoscaling wants, by the part that decided',
    ['by'],
  )
  const refillSeconds = deps.metrics.histogram(
    'podyard_pool_refill_seconds',
    'Time from the creation of a pod to its first readiness',
    [],
    [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 600],
  )
  const scheduleAt = createScheduleReader()
  let states: Map<number, ScalingState> | undefined
  let numbers: { readonly at: number; readonly no: number }[] = []
  let isCounting = true

  /** One look at all pools. */
  async function tick(): Promise<void> {
    const scenes = pools.scenes()
    if (scenes === undefined) return
    states ??= await readStates(db)
    const known = states
    const next = new Map(known)
    takeRefills(scenes, next)
    const concerned = scenes.filter((scene) => isConcerned(scene, next.get(scene.pool.seq)))
    const decisions: DecisionDraft[] = []
    const orders: { readonly poolUid: string; readonly wanted: number | undefined; readonly take: number }[] = []
    const demanding = concerned.filter(({ pool }) => pool.spec.autoscaling?.demand !== undefined)
    if (demanding.length === 0) await stopCountingOnce()
    if (concerned.length > 0) {
      const { now, no } = await readNow(db)
      if (demanding.length > 0) await count(demanding, no)
      const counts = await readCounts(
        db,
        concerned.map(({ pool }) => ({
          poolId: pool.seq,
          windowSeconds: pool.spec.autoscaling?.demand?.window_seconds ?? 0,
        })),
      )
      for (const scene of concerned) {
        const { pool } = scene
        const before = withCounting(scene, next.get(pool.seq) ?? nothingKnown, now)
        const inputs = inputsOf(scene, before, counts.get(pool.seq), now)
        const decision = decide(inputs)
        const tooMany = countSurplus(scene, decision.wanted)
        const { surplus, take } = settleSurplus(before.surplus, tooMany, now, tuning.surplusMs)
        if (decision.wanted !== before.wanted)
          decisions.push({
            poolUid: pool.uid,
            poolName: pool.id,
            at: now,
            wantedBefore: before.wanted,
            decision,
            inputs,
          })
        // What autoscaling had added goes when it is no longer declared; from then on the pool is like any other.
        const isOver = pool.spec.autoscaling === null && surplus === undefined
        next.set(pool.seq, { ...before, wanted: isOver ? null : decision.wanted, surplus })
        orders.push({ poolUid: pool.uid, wanted: isOver ? undefined : decision.wanted, take })
      }
    }
    await store(known, next, scenes, decisions)
    for (const { poolUid, wanted, take } of orders) {
      pools.want(poolUid, wanted)
      if (take > 0) pools.shrink(poolUid, take)
    }
    for (const { decision } of decisions) decisionsMade.inc({ by: decision.by })
  }

  function takeRefills(scenes: readonly PoolScene[], into: Map<number, ScalingState>): void {
    const measured = new Map<string, number[]>()
    for (const { poolUid, milliseconds } of pools.takeRefills()) {
      refillSeconds.observe(milliseconds / 1_000)
      const known = measured.get(poolUid)
      if (known === undefined) measured.set(poolUid, [milliseconds])
      else known.push(milliseconds)
    }
    if (measured.size === 0) return
    for (const { pool } of scenes) {
      const milliseconds = measured.get(pool.uid)
      if (milliseconds === undefined) continue
      const state = into.get(pool.seq) ?? nothingKnown
      into.set(pool.seq, { ...state, refillMs: meanRefill(state.refillMs, milliseconds) })
    }
  }

  async function count(demanding: readonly PoolScene[], no: number): Promise<void> {
    const at = performance.now()
    numbers.push({ at, no })
    const settled = numbers.findLast((number) => number.at <= at - tuning.commitMs)
    isCounting = true
    if (settled === undefined) return
    numbers = numbers.filter((number) => number.at >= settled.at)
    const poolIds = demanding.map(({ pool }) => pool.seq)
    await countClaimsUpTo(db, lease, poolIds, settled.no)
  }

  async function stopCountingOnce(): Promise<void> {
    numbers = []
    if (!isCounting) return
    await stopCounting(db, lease)
    isCounting = false
  }

  function inputsOf(scene: PoolScene, state: ScalingState, counts: Counts | undefined, now: number): ScalingInputs {
    const { size, maxSize, autoscaling } = scene.pool.spec
    const counted = state.countedSince === undefined ? 0 : now - state.countedSince
    const windowSeconds = autoscaling?.demand?.window_seconds ?? 0
    return {
      size,
      maxSize,
      autoscaling,
      held: counts?.held ?? 0,
      waiting: counts?.waiting ?? 0,
      scheduled: autoscaling?.schedule === undefined ? undefined : scheduleAt(autoscaling.schedule, now),
      claims:
        counts === undefined || counted < leastCountedMs
          ? undefined
          : { count: counts.claims, seconds: Math.min(windowSeconds, Math.floor(counted / 1_000)) },
      refillMs: state.refillMs,
    }
  }

  async function store(
    known: ReadonlyMap<number, ScalingState>,
    next: Map<number, ScalingState>,
    scenes: readonly PoolScene[],
    decisions: readonly DecisionDraft[],
  ): Promise<void> {
    const living = new Set(scenes.map(({ pool }) => pool.seq))
    const forgotten = [...next.keys()].filter((poolId) => !living.has(poolId))
    for (const poolId of forgotten) next.delete(poolId)
    const changed = [...next]
      .filter(([poolId, state]) => !isDeepStrictEqual(state, known.get(poolId)))
      .map(([poolId, state]) => ({ poolId, state }))
    if (changed.length + decisions.length + forgotten.length > 0)
      await writeScaling(db, lease, { states: changed, decisions, forgotten })
    states = next
  }

  /** Looks at the pools until the signal aborts. Rejects when the lease is lost. */
  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const startedAt = performance.now()
      try {
        await tick()
      } catch (error) {
        if (error instanceof LeaseLost) throw error
        // What was written is not known: the next look reads it again.
        states = undefined
        if (!signal.aborted) logger.warn({ err: error }, 'pools could not be scaled; trying again')
      }
      const tookMs = performance.now() - startedAt
      await delay(Math.max(tuning.everyMs, 9 * tookMs), undefined, { signal }).catch(() => {})
    }
  }

  return { run, tick }
}

/** Scalable, not failed, draining or going, and with something to decide or to undo. */
function isConcerned({ pool }: PoolScene, state: ScalingState | undefined): boolean {
  if (!pool.scalable || pool.draining || (pool.spec.autoscaling === null && (state?.wanted ?? null) === null))
    return false
  return pool.status !== poolStatus.new && pool.status !== poolStatus.failed && pool.status !== poolStatus.deleted
}

/** Claims are counted while a pool scales by demand; for a pool that does so anew, anew. */
function withCounting({ pool }: PoolScene, state: ScalingState, now: number): ScalingState {
  const isDemanding = pool.spec.autoscaling?.demand !== undefined
  return { ...state, countedSince: isDemanding ? (state.countedSince ?? now) : undefined }
}

/**
 * How many of the pods that the pool keeps are too many. Idle ones that requests asked for are none of them: their idle
 * time decides. Neither are those that run something.
 */
export function countSurplus({ pods, creating }: PoolScene, wanted: number): number {
  const living = pods.filter((pod) => !pod.isDeleting && !pod.isFinished)
  const idle = living.filter((pod) => !pod.isBusy)
  const idleOnDemand = idle.filter((pod) => pod.isOnDemand === true)
  const kept = living.length + creating - idleOnDemand.length
  return Math.min(kept - wanted, idle.length - idleOnDemand.length)
}
