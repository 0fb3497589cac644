import { randomBytes } from 'node:crypto'
import type { V1Deployment } from '@kubernetes/client-node'
import { sleep } from '../kube/deadline.ts'
import { isAlreadyExists, isNotFound } from '../kube/status.ts'
import { resources } from '../kube/types.ts'
import { barePodName, buildBarePod } from './bare-pod.ts'
import { isUnknown } from './cluster-failure.ts'
import { poolUidOfPod } from './observed.ts'
import { mayTry } from './plan-write.ts'
import { handsOut } from './pool.ts'
import { maxCreatingPerPool, type PoolEntry } from './pool-entry.ts'
import type { PoolSteps } from './pool-steps.ts'

/**
 * Makes the pods of scalable pools, in the background and within bounds.
 *
 * A lost answer makes no second pod: the name of a pod whose creation has an unknown outcome is kept, looked up, and used
 * again. Names of a process that was killed are lost; its successor counts from a list that begins after it took the
 * lease, so whatever the cluster had carried out until then is counted.
 */
export type PodMaker = {
  /** Begins so many creations; the pool is woken after each. */
  make(entry: PoolEntry, count: number, isReserved: boolean): void
  /** Resolves when none is under way. */
  idle(): Promise<void>
}

/** `unknown`: whether there is a pod of this name now is not known. */
type Outcome = 'made' | 'not made' | 'unknown'

export function createPodMaker(steps: PoolSteps): PodMaker {
  const { kube, namespace, index, limit, now, signal, callOptions } = steps
  const background = new Set<Promise<void>>()

  async function createPod(entry: PoolEntry, name: string, isReserved: boolean): Promise<void> {
    let outcome = await tryPod(entry, name, isReserved, false)
    // One by one, each after the wait that the last one's failure asks for: a server in trouble is not asked by all.
    while (outcome === 'unknown')
      outcome = await entry.lookups(async () => {
        await untilMayTry(entry)
        return tryPod(entry, name, isReserved, true)
      })
    entry.creating.delete(name)
    // The step of a request is not used up by a refusal.
    if (outcome === 'not made' && !isReserved) entry.owed += 1
    steps.wake(entry.pool.uid)
  }

  async function tryPod(entry: PoolEntry, name: string, isReserved: boolean, isRepeat: boolean): Promise<Outcome> {
    try {
      const { pool } = entry
      const deployment = steps.deploymentOf(entry)
      const isWanted = handsOut(pool)
      if (signal.aborted || deployment === undefined || (!isWanted && !isRepeat)) return 'not made'
      const pod = isRepeat ? await findPod(entry, name) : undefined
      if (isRepeat && pod === undefined && !isWanted) return 'not made'
      if (pod === undefined && !(await makePod(entry, deployment, name, isReserved))) return 'not made'
      entry.failures.delete('pods')
      entry.burst = Math.min(maxCreatingPerPool, entry.burst * 2)
      entry.made.push(name)
      return 'made'
    } catch (error) {
      steps.failed(entry, 'pods', error)
      entry.burst = 1
      if (!isUnknown(error) || signal.aborted) return 'not made'
      steps.wake(entry.pool.uid)
      return 'unknown'
    }
  }

  /** In short steps: a change of the pool forgets its failures. */
  async function untilMayTry(entry: PoolEntry): Promise<void> {
    for (;;) {
      const waitMs = (entry.failures.get('pods')?.retryAt ?? 0) - now()
      if (waitMs <= 0 || signal.aborted) return
      await sleep(Math.min(waitMs, 1_000), signal).catch(() => {})
    }
  }

  /** False: the name is somebody else's, or creations rest by now, and another one must be drawn later. */
  async function makePod(
    entry: PoolEntry,
    deployment: V1Deployment,
    name: string,
    isReserved: boolean,
  ): Promise<boolean> {
    const pod = buildBarePod({ pool: entry.pool, deployment, name, isReserved })
    try {
      // What waited for its turn while another creation of the pool was refused would be refused as well.
      const made = await limit(async () =>
        mayTry(entry.failures.get('pods'), now())
          ? await kube.create(resources.pods, pod, { namespace, brief: true, ...callOptions })
          : undefined,
      )
      if (made !== undefined) index.putPod(made, now())
      return made !== undefined
    } catch (error) {
      if (isAlreadyExists(error)) return false
      throw error
    }
  }

  async function findPod(entry: PoolEntry, name: string) {
    try {
      const pod = await limit(() => kube.get(resources.pods, { namespace, name }, callOptions))
      if (poolUidOfPod(pod) !== entry.pool.uid) return undefined
      index.putPod(pod, now())
      return pod
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  return {
    make(entry, count, isReserved) {
      for (let i = 0; i < count; i += 1) {
        const name = barePodName(entry.pool.id, randomBytes(10).toString('hex'))
        entry.creating.add(name)
        const work = createPod(entry, name, isReserved)
          .catch(() => {})
          .finally(() => background.delete(work))
        background.add(work)
      }
    },
    async idle() {
      while (background.size > 0) await Promise.all(background)
    },
  }
}
