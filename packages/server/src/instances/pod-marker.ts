import { setTimeout as delay } from 'node:timers/promises'
import { isConflict, isNotFound, isOtherObject } from '../kube/status.ts'
import { type KubeClient, KubeError, resources } from '../kube/types.ts'
import type { Database } from '../store/database.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Instance } from './instance.ts'
import { createMarkPace } from './mark-pace.ts'
import { exclusivePatch, labelsAnnotation, type MarkedPool, sharedPatch, unmarkPatch } from './pod-marks.ts'

/**
 * Writes the marks of instances on their pods, after the answer: one patch per exclusive claim, none for a shared one
 * without labels. What fails is left to the controller's repair (`mark-repair.ts`).
 */
export type PodMarker = {
  /** They are bound: their pods are to bear their marks, soon. Whose mark waits already is not marked twice. */
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
const maxInFlight = 8
/** Milliseconds from one patch to the next while claims come thick: marks wait then, so that claims do not. */
const restMs = 20
/** What waits beyond that is dropped: the repair finds it. */
const maxWaiting = 50_000
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
  const lanes = new Map<string, Work[]>()
  const pace = createMarkPace()
  let rest: NodeJS.Timeout | undefined
  let waiting: string[] = []
  /** Of `waiting`, those before it have begun. */
  let next = 0
  let size = 0
  let inFlight = 0
  let isStopped = false
  let idlers: (() => void)[] = []

  function add(podUid: string, work: Work): void {
    const lane = lanes.get(podUid)
    if (lane?.some(({ mark }) => mark !== undefined && mark === work.mark)) return
    if (isStopped || size >= maxWaiting) {
      counter.inc({ result: 'dropped' })
      return
    }
    size += 1
    if (lane !== undefined) {
      lane.push(work)
      return
    }
    lanes.set(podUid, [work])
    waiting.push(podUid)
    start()
  }

  function start(): void {
    if (rest !== undefined && !isStopped) return
    const most = pace.isBurst() && !isStopped ? 1 : maxInFlight
    while (inFlight < most) {
      const podUid = waiting[next]
      if (podUid === undefined) break
      next += 1
      inFlight += 1
      void drain(podUid)
    }
    if (next > 1_000 || next === waiting.length) {
      waiting = waiting.slice(next)
      next = 0
    }
    if (size > 0) return
    for (const idle of idlers) idle()
    idlers = []
  }

  async function drain(podUid: string): Promise<void> {
    const lane = lanes.get(podUid) ?? []
    for (let work = lane[0]; work !== undefined; work = lane[0]) {
      counter.inc({ result: isStopped ? 'dropped' : await outcomeOf(work.run) })
      lane.shift()
      size -= 1
    }
    lanes.delete(podUid)
    inFlight -= 1
    if (pace.isBurst() && waiting.length > next)
      rest ??= setTimeout(() => {
        rest = undefined
        start()
      }, restMs)
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
    await client().patch(resources.pods, at, { type: 'merge', body }, { timeoutMs: callTimeoutMs, brief: true })
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
      for (const instance of instances) {
        pace.claimed()
        if (instance.policy === 'exclusive' || hasLabels(instance))
          add(instance.podUid, { mark: instance.id, run: () => mark(instance) })
      }
    },
    ended(instances) {
      for (const instance of instances)
        if (instance.policy === 'shared' && hasLabels(instance)) add(instance.podUid, { run: () => unmark(instance) })
    },
    idle,
    stop() {
      isStopped = true
      clearTimeout(rest)
      start()
      return idle()
    },
  }
}

/** One write to a pod; `mark` is the instance whose mark it is. */
type Work = { readonly mark?: string; run(): Promise<void> }

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
