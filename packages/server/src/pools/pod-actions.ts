import { isNotFound, isOtherObject } from '../kube/status.ts'
import { resources } from '../kube/types.ts'
import type { DeleteReason, PodView } from './plan-types.ts'
import type { PodDeleter } from './pod-deleter.ts'
import { costPatch, detachPatch } from './pod-facts.ts'
import type { HeldPod, PodHolds, PodName, RetiredReason } from './pod-holds.ts'
import { poolStatus } from './pool.ts'
import type { PoolEntry } from './pool-entry.ts'
import type { PoolSteps } from './pool-steps.ts'

/**
 * What the plan does about pods that somebody may have. The tables decide first: a victim is retired there, so that no
 * claim can have it, before the cluster is told anything. Rejects for what the database does.
 */
export type PodActions = {
  /** Retires those of the pods that nobody holds, and has them deleted. How many those were. */
  deletePods(entry: PoolEntry, pods: readonly PodView[], reason: DeleteReason): Promise<number>
  /**
   * Retires the victims of a ReplicaSet and ranks its pods: victims and those that are leaving first, what is held last.
   * How many of the victims are held after all; undefined when a rank could not be written.
   */
  chooseVictims(entry: PoolEntry, victims: readonly PodView[], leaving: readonly PodView[]): Promise<number | undefined>
  /** Nobody gets a pod of the pool any more; what exclusive instances have leaves the Deployment, and survives it. */
  closePool(entry: PoolEntry): Promise<void>
  takeSteps(entry: PoolEntry, limit: number): Promise<void>
  /** Retires pods that only shared instances could have; whoever reads the table has them deleted. */
  makeRoom(entry: PoolEntry, limit: number): Promise<void>
}

export type PodActionsOptions = {
  readonly steps: PoolSteps
  readonly holds: PodHolds
  readonly deleter: Pick<PodDeleter, 'order'>
}

const victimCost = -1000
/** The claim's own patch ranks a pod as high. */
const heldCost = 1000

const retiredReasons: Readonly<Record<DeleteReason, RetiredReason>> = {
  'above max_size': 'shrunk',
  'not wanted': 'unwanted',
  'never ready': 'stuck',
  drained: 'drained',
  finished: 'finished',
  'deployment is gone': 'ownerless',
}

export function createPodActions({ steps, holds, deleter }: PodActionsOptions): PodActions {
  const { kube, namespace, callOptions } = steps

  async function retire(entry: PoolEntry, pods: readonly PodView[], reason: RetiredReason): Promise<PodView[]> {
    if (pods.length === 0) return []
    const names = pods.map(({ uid, name }): PodName => ({ uid, name, namespace }))
    const { retired, held } = await holds.retire(entry.pool.seq, names, reason)
    for (const uid of held) entry.held.add(uid)
    const gone = new Set(retired)
    for (const uid of gone) entry.retired.add(uid)
    return pods.filter((pod) => gone.has(pod.uid))
  }

  /** Shared instances go with their pool, also where no Deployment takes their pods along. */
  async function takeShared(entry: PoolEntry, pods: readonly PodView[]): Promise<PodView[]> {
    const left = pods.filter((pod) => !entry.retired.has(pod.uid))
    if (left.length === 0) return []
    const held = await holds.heldIn(entry.pool.seq)
    const exclusive = new Set(held.filter((pod) => pod.isExclusive).map((pod) => pod.uid))
    const shared = left.filter((pod) => !exclusive.has(pod.uid))
    for (const pod of shared) entry.retired.add(pod.uid)
    return shared
  }

  /** False: refused. A pod that is gone, or whose name another has by now, needs no patch. */
  function patchPod(entry: PoolEntry, name: string, body: object, step: 'deployment' | 'delete'): Promise<boolean> {
    return steps.attempt(entry, step, async () => {
      try {
        const pod = await kube.patch(resources.pods, { namespace, name }, { type: 'merge', body }, callOptions)
        steps.index.putPod(pod, steps.now())
      } catch (error) {
        if (!isNotFound(error) && !isOtherObject(error)) throw error
      }
    })
  }

  return {
    async deletePods(entry, pods, reason) {
      const why = retiredReasons[reason]
      const victims = await retire(entry, pods, why)
      if (entry.pool.status === poolStatus.deleted) victims.push(...(await takeShared(entry, pods)))
      deleter.order(victims.map(({ uid, name }) => ({ uid, name, namespace, poolId: entry.pool.seq, reason: why })))
      return victims.length
    },

    async chooseVictims(entry, victims, leaving) {
      const retired = await retire(entry, victims, entry.pool.draining ? 'drained' : 'shrunk')
      const held = await holds.heldIn(entry.pool.seq)
      entry.held = new Set(held.map((pod) => pod.uid))
      const ranked = await Promise.all([
        ...[...retired, ...leaving].map(({ uid, name }) =>
          patchPod(entry, name, costPatch(uid, victimCost), 'deployment'),
        ),
        ...unprotected(entry, held, steps.index.podsOf(entry.pool.uid)).map(({ uid, name }) =>
          patchPod(entry, name, costPatch(uid, heldCost), 'deployment'),
        ),
      ])
      return ranked.includes(false) ? undefined : victims.length - retired.length
    },

    async closePool(entry) {
      await holds.close([entry.pool.seq], 'deleted')
      const held = await holds.heldIn(entry.pool.seq)
      entry.held = new Set(held.map((pod) => pod.uid))
      const detached = new Set<string>()
      for (const pod of steps.index.podsOf(entry.pool.uid)) if (pod.isDetached === true) detached.add(pod.uid)
      const patched = await Promise.all(
        held
          .filter((pod) => pod.isExclusive && !detached.has(pod.uid))
          .map((pod) => patchPod(entry, pod.name, detachPatch(pod), 'delete')),
      )
      entry.isClosed = !patched.includes(false)
    },

    async takeSteps(entry, limit) {
      const taken = await holds.takeSteps(entry.pool.seq, limit)
      entry.steps = taken < limit ? 0 : Math.max(0, entry.steps - taken)
      entry.owed += taken
      entry.takes += 1
    },

    async makeRoom(entry, limit) {
      const taken = await holds.makeRoom(entry.pool.seq, limit)
      entry.idleShared = taken < limit ? 0 : entry.idleShared - taken
    },
  }
}

function unprotected(entry: PoolEntry, held: readonly HeldPod[], pods: Iterable<PodView>): PodView[] {
  const uids = new Set(held.map((pod) => pod.uid))
  return [...pods].filter(
    (pod) =>
      uids.has(pod.uid) &&
      pod.isDetached !== true &&
      (pod.deletionCost ?? 0) <= 0 &&
      !pod.isDeleting &&
      !entry.retired.has(pod.uid),
  )
}
