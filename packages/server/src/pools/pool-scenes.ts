import type { PodView } from './plan-types.ts'
import type { PodIndex, Refill } from './pod-index.ts'
import type { Pool } from './pool.ts'
import { type PoolEntry, viewPod } from './pool-entry.ts'

/** A pool and its pods as the controller knows them now. */
export type PoolScene = {
  readonly pool: Pool
  readonly pods: readonly PodView[]
  /** Pods that are being created and are not in `pods` yet. */
  readonly creating: number
}

/** What whoever scales pools, or watches over their pods, sees of the controller and may ask of it. */
export type PoolScenes = {
  /** Every pool; undefined while the controller does not know the cluster: nothing follows from a pod's absence then. */
  scenes(): readonly PoolScene[] | undefined
  /** How many pods a scalable pool is to have at least, in use or idle; undefined: its size. The pool is looked at when that is news. */
  want(poolUid: string, pods: number | undefined): void
  /** So many idle pods that the pool keeps are to be taken away; those that requests asked for are none of them. */
  shrink(poolUid: string, pods: number): void
  /** Pods that became ready for the first time since this was asked last. */
  takeRefills(): readonly Refill[]
}

type Attached = {
  readonly entries: ReadonlyMap<string, PoolEntry>
  readonly index: Pick<PodIndex, 'podsOf' | 'takeRefills'>
  readonly wake: (poolUid: string) => void
}

/** The controller attaches what it holds while it runs. */
export function createPoolScenes(): PoolScenes & { attach(held: Attached): void; detach(): void } {
  let held: Attached | undefined
  return {
    attach(now) {
      held = now
    },
    detach() {
      held = undefined
    },
    scenes() {
      if (held === undefined) return undefined
      const { entries, index } = held
      return [...entries.values()].map((entry) => ({
        pool: entry.pool,
        pods: [...index.podsOf(entry.pool.uid)].map((pod) => viewPod(entry, pod)),
        creating: entry.creating.size,
      }))
    },
    want(poolUid, pods) {
      const entry = held?.entries.get(poolUid)
      if (entry === undefined || entry.wanted === pods) return
      if ((pods ?? 0) > (entry.wanted ?? 0)) entry.surplus = 0
      entry.wanted = pods
      held?.wake(poolUid)
    },
    shrink(poolUid, pods) {
      const entry = held?.entries.get(poolUid)
      if (entry === undefined) return
      entry.surplus = pods
      held?.wake(poolUid)
    },
    takeRefills: () => held?.index.takeRefills() ?? [],
  }
}
