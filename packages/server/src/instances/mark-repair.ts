import type { V1Pod } from '@kubernetes/client-node'
import { sleep } from '../kube/deadline.ts'
import { type KubeClient, type Reflector, resources } from '../kube/types.ts'
import type { Database } from '../store/database.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { hasLabels, type MarkedInstance, type PodMarker } from './pod-marker.ts'
import { bearsMark, labelsAnnotation, labelsAnnotations, unmarkPatch } from './pod-marks.ts'

export type MarkRepairOptions = {
  readonly db: Database
  readonly kube: KubeClient
  readonly pods: Reflector<V1Pod>
  readonly marker: Pick<PodMarker, 'bound'>
  readonly metrics: Metrics
  readonly onError: (error: unknown) => void
  readonly signal: AbortSignal
  readonly tuning?: Partial<MarkRepairTuning>
}

export type MarkRepairTuning = {
  /** Milliseconds between two looks. */
  readonly lookMs: number
  /** Seconds that a claim's own patch has. */
  readonly graceSeconds: number
  /** Milliseconds between two looks at the labels of shared instances that may have ended. */
  readonly labelsMs: number
}

const defaultTuning: MarkRepairTuning = { lookMs: 2_000, graceSeconds: 3, labelsMs: 15_000 }

/** Instances of one read. */
const page = 1_000
/** Of these the last were read before; one of them may have committed after a later one. */
const overlap = 500

/**
 * The controller's second look at marks: live instances whose pods do not bear theirs get it, and labels of shared
 * instances that ended are taken off. Each instance is read once, when it is a few seconds old; those whose pods are as
 * they should be are forgotten.
 */
export async function repairMarks(options: MarkRepairOptions): Promise<void> {
  const { db, pods, marker, metrics, signal } = options
  const { lookMs, graceSeconds, labelsMs } = { ...defaultTuning, ...options.tuning }
  const repairs = metrics.counter(
    'podyard_pod_mark_repairs_total',
    'Pods whose marks the controller had to write again',
  )
  /** Instances whose pods were not as they should be at the last look. */
  const open = new Map<string, MarkedInstance>()
  const labelled = followLabels(pods)
  let after = 0

  async function look(): Promise<void> {
    const alive = open.size === 0 ? [] : await db.run<MarkedRow>(selectById, [[...open.keys()]])
    open.clear()
    for (const row of alive) check(row)
    after = Math.max(0, after - overlap)
    for (;;) {
      const rows = await db.run<MarkedRow & { no: number }>(selectAfter, [after, graceSeconds, page])
      for (const row of rows) check(row)
      after = rows.at(-1)?.no ?? after
      if (rows.length < page || signal.aborted) return
    }
  }

  function check(row: MarkedRow): void {
    const instance = toMarked(row)
    const pod = pods.get(instance.namespace, instance.podName)
    // One that is gone is somebody else's to tell; one that the watch does not show yet is looked at again.
    if (pod !== undefined && pod.metadata?.uid !== instance.podUid) return
    if (pod !== undefined && isMarkedFor(pod, instance)) return
    open.set(instance.id, instance)
    if (pod === undefined || pod.metadata?.deletionTimestamp !== undefined) return
    repairs.inc()
    marker.bound([instance])
  }

  try {
    await Promise.race([pods.synced, sleep(2 ** 31 - 1, signal)]).catch(() => {})
    for (let labelsAt = 0; !signal.aborted; ) {
      try {
        await look()
        if (performance.now() >= labelsAt) {
          labelsAt = performance.now() + labelsMs
          repairs.inc(await takeOffLabels(options, labelled.pods()))
        }
      } catch (error) {
        if (!signal.aborted) options.onError(error)
      }
      await sleep(lookMs, signal).catch(() => {})
    }
  } finally {
    labelled.stop()
  }
}

function isMarkedFor(pod: V1Pod, instance: MarkedInstance): boolean {
  if (instance.policy === 'exclusive') return bearsMark(pod, instance.id)
  return !hasLabels(instance) || labelsAnnotations(pod).includes(labelsAnnotation(instance.id))
}

/** Which pods shared instances have labels on. */
function followLabels(pods: Reflector<V1Pod>) {
  const names = new Map<string, { readonly namespace: string; readonly name: string }>()
  const follow = (pod: V1Pod) => {
    const { uid = '', namespace = '', name = '' } = pod.metadata ?? {}
    if (labelsAnnotations(pod).length > 0) names.set(uid, { namespace, name })
    else names.delete(uid)
  }
  for (const pod of pods.values()) follow(pod)
  const stop = pods.subscribe(({ before, after }) => {
    if (after !== undefined) follow(after)
    else names.delete(before?.metadata?.uid ?? '')
  })
  return {
    stop,
    pods: () =>
      [...names.values()].map(({ namespace, name }) => pods.get(namespace, name)).filter((pod) => pod !== undefined),
  }
}

/** How many pods had labels of instances that ended. */
async function takeOffLabels({ db, kube, signal }: MarkRepairOptions, pods: readonly V1Pod[]): Promise<number> {
  if (pods.length === 0) return 0
  const rows = await db.run<{ id: string; pod_uid: string }>(selectOn, [pods.map((pod) => pod.metadata?.uid ?? '')])
  const living = new Set(rows.map((row) => `${row.pod_uid} ${labelsAnnotation(row.id)}`))
  let taken = 0
  for (const pod of pods) {
    const { uid, namespace = '', name = '' } = pod.metadata ?? {}
    const body = unmarkPatch(pod, (annotation) => !living.has(`${uid} ${annotation}`))
    if (body === undefined || signal.aborted) continue
    taken += 1
    // Changed meanwhile, or gone: the next look sees it as it is then.
    await kube.patch(resources.pods, { namespace, name }, { type: 'merge', body }, { signal }).catch(() => {})
  }
  return taken
}

type MarkedRow = {
  readonly id: string
  readonly schedule_policy: 'exclusive' | 'shared'
  readonly labels: Readonly<Record<string, string>> | null
  readonly pool_id: number
  readonly pod_uid: string
  readonly pod_name: string
  readonly namespace: string
}

const toMarked = (row: MarkedRow): MarkedInstance => ({
  id: row.id,
  policy: row.schedule_policy,
  labels: row.labels,
  poolId: row.pool_id,
  podUid: row.pod_uid,
  podName: row.pod_name,
  namespace: row.namespace,
})

const columns = 'id, schedule_policy, labels, pool_id, pod_uid, pod_name, namespace'

const selectAfter = {
  name: 'mark-instances-after',
  text: `select no, ${columns} from instance
    where no > $1 and created_at < instance_now() - make_interval(secs => $2) order by no limit $3`,
}

const selectById = { name: 'mark-instances', text: `select ${columns} from instance where id = any($1::text[])` }

const selectOn = { name: 'mark-instances-on', text: 'select id, pod_uid from instance where pod_uid = any($1::text[])' }
