import { randomBytes } from 'node:crypto'
import type { V1Deployment } from '@kubernetes/client-node'
import { sleep } from '../kube/deadline.ts'
import { isAlreadyExists, isNotFound } from '../kube/status.ts'
import { resources } from '../kube/types.ts'
import { barePodName, buildBarePod } from './bare-pod.ts'
import { isUnknown } from './cluster-failure.ts'
import { poolUidOfPod } from './observed.ts'
import { poolStatus } from './pool.ts'
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

export function createPodMaker(steps: PoolSteps): PodMaker {
  const { kube, namespace, index, limit, now, signal, callOptions } = steps
  const background = new Set<Promise<void>>()

  async function createPod(entry: PoolEntry, name: string, isReserved: boolean): Promise<void> {
    for (let isRepeat = false; ; isRepeat = true) {
      try {
        const { pool } = entry
        const deployment = steps.deploymentOf(entry)
        const isWanted = pool.status !== poolStatus.deleted && pool.status !== poolStatus.failed
        if (signal.aborted || deployment === undefined || (!isWanted && !isRepeat)) break
        const pod = isRepeat ? await findPod(entry, name) : undefined
        if (isRepeat && pod === undefined && !isWanted) break
        if (pod !== undefined || (await makePod(entry, deployment, name, isReserved))) {
          entry.failures.delete('pods')
          entry.burst = Math.min(maxCreatingPerPool, entry.burst * 2)
          entry.made.push(name)
        }
        break
      } catch (error) {
        steps.failed(entry, 'pods', error)
        entry.burst = 1
        if (!isUnknown(error) || signal.aborted) break
        steps.wake(entry.pool.uid)
        await sleep((entry.failures.get('pods')?.retryAt ?? 0) - now(), signal).catch(() => {})
      }
    }
    entry.creating.delete(name)
    steps.wake(entry.pool.uid)
  }

  /** False: the name is somebody else's, and another one must be drawn. */
  async function makePod(
    entry: PoolEntry,
    deployment: V1Deployment,
    name: string,
    isReserved: boolean,
  ): Promise<boolean> {
    const pod = buildBarePod({ pool: entry.pool, deployment, name, isReserved })
    try {
      index.putPod(await limit(() => kube.create(resources.pods, pod, { namespace, ...callOptions })), now())
      return true
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
