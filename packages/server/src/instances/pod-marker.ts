import { setTimeout as delay } from 'node:timers/promises'
import { isConflict, isNotFound, isOtherObject } from '../kube/status.ts'
import { type KubeClient, KubeError, resources } from '../kube/types.ts'
import type { Database } from '../store/database.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Instance } from './instance.ts'
import { exclusivePatch, labelsAnnotation, type MarkedPool, sharedPatch, unmarkPatch } from './pod-marks.ts'

/**
 * Writes the marks of instances on their pods, after the answer: one patch per exclusive claim, none for a shared one
 * without labels. What fails is left to the controller's repair (`mark-repair.ts`).
 */
export type PodMarker = {
  /** They are bound: their pods are to bear their marks, soon. */
  bound(instances: readonly MarkedInstance[]): void
  /** They ended: shared ones take their labels off their pods. (An exclusive one's pod goes.) */
  ended(instances: readonly MarkedInstance[]): void
  /** Resolves when nothing is under way. */
  idle(): Promise<void>
  /** Begins nothing more, and resolves when nothing is under way; the rest is left to the repair. */
  stop(): Promise<void>
}

export type MarkedInstance = Pick<Instance, 'id' | 'policy' | 'labels' | 'poolId' | 'podUid' | 'podName' | 'namespace'>

export type PodMarkerOptions = {
  readonly db: Database
  /** Undefined while there is no cluster yet: then nothing is written. */
  readonly kube: () => KubeClient | undefined
  readonly metrics: Metrics
  /** Milliseconds between tries. */
  readonly retryMs?: number
}

/** Patches at the same time. */
const maxInFlight = 16
/** What waits beyond that is dropped: the repair finds it. */
const maxWaiting = 20_000
const maxTries = 4
const callTimeoutMs = 10_000

export function createPodMarker({ db, kube, metrics, retryMs = 250 }: PodMarkerOptions): PodMarker {
  const counter = metrics.counter(
    'podyard_pod_marks_total',
    'Patches of pods that instances got or left, by outcome; what failed or was dropped is repaired by the controller',
    ['result'],
  )
  const pools = new Map<number, MarkedPool>()
  /** Pods that are being written to, and what is to be done to them next: one write to a pod at a time, in order. */
  const lanes = new Map<string, (() => Promise<void>)[]>()
  const waiting: string[] = []
  let size = 0
  let inFlight = 0
  let isStopped = false
  let idlers: (() => void)[] = []

  function add(podUid: string, work: () => Promise<void>): void {
    if (isStopped || size >= maxWaiting) {
      counter.inc({ result: 'dropped' })
      return
    }
    size += 1
    const lane = lanes.get(podUid)
    if (lane !== undefined) {
      lane.push(work)
      return
    }
    lanes.set(podUid, [work])
    waiting.push(podUid)
    start()
  }

  function start(): void {
    while (inFlight < maxInFlight) {
      const podUid = waiting.shift()
      if (podUid === undefined) break
      inFlight += 1
      void drain(podUid)
    }
    if (size > 0) return
    for (const idle of idlers) idle()
    idlers = []
  }

  async function drain(podUid: string): Promise<void> {
    const lane = lanes.get(podUid) ?? []
    for (let work = lane[0]; work !== undefined; work = lane[0]) {
      counter.inc({ result: isStopped ? 'dropped' : await outcomeOf(work) })
      lane.shift()
      size -= 1
    }
    lanes.delete(podUid)
    inFlight -= 1
    start()
  }

  async function outcomeOf(work: () => Promise<void>): Promise<'written' | 'gone' | 'failed'> {
    for (let tries = 1; ; tries += 1) {
      try {
        await work()
        return 'written'
      } catch (error) {
        if (isNotFound(error) || (isOtherObject(error) && !isConflict(error))) return 'gone'
        if (tries === maxTries || isStopped) return 'failed'
        await delay(retryMs * 2 ** (tries - 1) * (0.5 + Math.random() / 2))
      }
    }
  }

  /** A pool's way to mark never changes, so it is read once. One that is gone has no ReplicaSet to stay in. */
  async function poolOf(poolId: number): Promise<MarkedPool> {
    const known = pools.get(poolId)
    if (known !== undefined) return known
    const [row] = await db.run<PoolRow>(selectPool, [poolId])
    const pool =
      row === undefined
        ? { staysInSet: false, labelKeys: new Set<string>() }
        : {
            staysInSet: row.reuse && !row.scalable,
            labelKeys: new Set([...Object.keys(row.labels ?? {}), row.group_name]),
          }
    if (row !== undefined) pools.set(poolId, pool)
    return pool
  }

  async function patch(instance: MarkedInstance, body: object): Promise<void> {
    const at = { namespace: instance.namespace, name: instance.podName }
    await client().patch(resources.pods, at, { type: 'merge', body }, { timeoutMs: callTimeoutMs })
  }

  function client(): KubeClient {
    const now = kube()
    if (now === undefined) throw new Error('there is no cluster yet')
    return now
  }

  async function mark(instance: MarkedInstance): Promise<void> {
    const pool = await poolOf(instance.poolId)
    const build = instance.policy === 'exclusive' ? exclusivePatch : sharedPatch
    try {
      await patch(instance, build(instance, pool))
    } catch (error) {
      // Labels that the cluster does not take must not keep the pod in its ReplicaSet.
      if (!isRefusedLabel(error) || instance.policy !== 'exclusive') throw error
      await patch(instance, build({ ...instance, labels: null }, pool))
    }
  }

  async function unmark(instance: MarkedInstance): Promise<void> {
    const at = { namespace: instance.namespace, name: instance.podName }
    const pod = await client().get(resources.pods, at, { timeoutMs: callTimeoutMs })
    if (pod.metadata?.uid !== instance.podUid) return
    const key = labelsAnnotation(instance.id)
    const body = unmarkPatch(pod, (annotation) => annotation === key)
    if (body !== undefined) await patch(instance, body)
  }

  const idle = () => (size === 0 ? Promise.resolve() : new Promise<void>((resolve) => idlers.push(resolve)))

  return {
    bound(instances) {
      for (const instance of instances)
        if (instance.policy === 'exclusive' || hasLabels(instance)) add(instance.podUid, () => mark(instance))
    },
    ended(instances) {
      for (const instance of instances)
        if (instance.policy === 'shared' && hasLabels(instance)) add(instance.podUid, () => unmark(instance))
    },
    idle,
    stop() {
      isStopped = true
      return idle()
    },
  }
}

const selectPool = {
  name: 'mark-pool',
  text: 'select group_name, reuse, scalable, labels from pool where id = $1',
}

type PoolRow = {
  readonly group_name: string
  readonly reuse: boolean
  readonly scalable: boolean
  readonly labels: Readonly<Record<string, string>> | null
}

export const hasLabels = ({ labels }: Pick<Instance, 'labels'>) => labels !== null && Object.keys(labels).length > 0

function isRefusedLabel(error: unknown): boolean {
  return error instanceof KubeError && (error.code === 422 || error.code === 400) && !isOtherObject(error)
}
