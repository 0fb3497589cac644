import type { PodView } from '../pools/plan-types.ts'
import { type Pool, pendingThresholdSeconds, poolStatus } from '../pools/pool.ts'
import type { PoolScene } from '../pools/pool-scenes.ts'

/** When something is wrong with a pod of a pool, and when it is right again. Pure; times are milliseconds. */

/**
 * `pending`: the pod's phase is Pending, since its creation, for the pool's threshold or longer.
 * `failed`: its phase is Failed or Unknown, or a container waits for what does not pass by itself (CrashLoopBackOff,
 * ImagePullBackOff and their like): at once.
 */
export type AlarmKind = 'pending' | 'failed'

export type OpenAlarm = {
  readonly id: number
  readonly kind: AlarmKind
  readonly poolUid: string
  readonly podUid: string
}

export type Raise = {
  readonly kind: AlarmKind
  readonly pool: Pick<Pool, 'uid' | 'id'>
  readonly pod: Pick<PodView, 'uid' | 'name'>
  /** In the cluster's words. */
  readonly cause: string
  /** The pod's creation. */
  readonly since: number
}

export type Clear = { readonly alarm: OpenAlarm; readonly because: string }

/** Since when the pods of open `failed` alarms have been well without a break, by alarm. */
export type WellSince = ReadonlyMap<number, number>

export type Watched = {
  readonly raise: readonly Raise[]
  readonly clear: readonly Clear[]
  readonly wellSince: WellSince
}

/**
 * Compares what is open with the pods as they are.
 *
 * @param steadyMs a failed pod is well when it has been ready for so long: one that crashes again and again raises one
 *   alarm, not one each time
 */
export function watchPods(
  open: Iterable<OpenAlarm>,
  wellSince: WellSince,
  scenes: readonly PoolScene[],
  now: number,
  steadyMs: number,
): Watched {
  const byPod = new Map<string, PodView>()
  const wrong: Raise[] = []
  for (const { pool, pods } of scenes) {
    if (pool.status === poolStatus.deleted) continue
    const thresholdMs = pendingThresholdSeconds(pool.spec) * 1_000
    for (const pod of pods) {
      if (pod.isDeleting) continue
      byPod.set(pod.uid, pod)
      const about = {
        pool: { uid: pool.uid, id: pool.id },
        pod: { uid: pod.uid, name: pod.name },
        since: pod.createdAt,
      }
      if (pod.isPending === true && now - pod.createdAt >= thresholdMs)
        wrong.push({ kind: 'pending', ...about, cause: pod.trouble ?? 'the cluster does not say why' })
      if (pod.failing !== undefined) wrong.push({ kind: 'failed', ...about, cause: pod.trouble ?? pod.failing })
    }
  }
  const known = new Set<string>()
  const clear: Clear[] = []
  const nextWell = new Map<number, number>()
  for (const alarm of open) {
    known.add(keyOf(alarm.kind, alarm.podUid))
    const pod = byPod.get(alarm.podUid)
    const well = pod === undefined || !isWell(alarm.kind, pod) ? undefined : (wellSince.get(alarm.id) ?? now)
    if (pod === undefined) clear.push({ alarm, because: 'the pod is gone' })
    else if (well !== undefined && alarm.kind === 'pending')
      clear.push({ alarm, because: 'the pod is pending no more' })
    else if (well !== undefined && now - well >= steadyMs) clear.push({ alarm, because: 'the pod is ready' })
    else if (well !== undefined) nextWell.set(alarm.id, well)
  }
  const raise = wrong.filter((one) => !known.has(keyOf(one.kind, one.pod.uid)))
  return { raise, clear, wellSince: nextWell }
}

const keyOf = (kind: AlarmKind, podUid: string) => `${kind} ${podUid}`

const isWell = (kind: AlarmKind, pod: PodView) =>
  kind === 'pending' ? pod.isPending !== true : pod.failing === undefined && pod.isReady
