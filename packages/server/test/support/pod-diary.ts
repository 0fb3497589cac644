import type { V1Pod } from '@kubernetes/client-node'
import type { Simulator } from '@podyard/simulator'
import { poolUidAnnotation } from '../../src/pools/names.ts'

/** What a simulated cluster knows of a pod of some pool, past Podyard. */
export type DiaryPod = {
  readonly uid: string
  readonly poolUid: string
  /** As it is; as it was last when it is gone. */
  object: V1Pod
  hasBeenReady: boolean
  isGone: boolean
  /** Somebody else than Podyard ended it: a test. */
  wasEnded: boolean
}

export type PodDiary = ReturnType<typeof keepPodDiary>

/** Writes down, from within the simulator, what becomes of the pods of pools. */
export function keepPodDiary(simulator: Simulator) {
  const pods = new Map<string, DiaryPod>()
  const byPool = new Map<string, Set<DiaryPod>>()

  const stop = simulator.store.subscribe('pods', ({ type, object }) => {
    const { uid } = object.metadata
    const poolUid = object.metadata.annotations?.[poolUidAnnotation]
    let pod = pods.get(uid)
    if (pod === undefined) {
      if (poolUid === undefined) return
      pod = {
        uid,
        poolUid,
        object: object as unknown as V1Pod,
        hasBeenReady: false,
        isGone: false,
        wasEnded: false,
      }
      pods.set(uid, pod)
      byPool.set(poolUid, (byPool.get(poolUid) ?? new Set()).add(pod))
    }
    pod.object = object as unknown as V1Pod
    pod.isGone = type === 'DELETED'
    pod.hasBeenReady ||= isReady(pod.object)
  })

  return {
    get: (uid: string) => pods.get(uid),
    /** Those that are there, however they are. */
    of: (poolUid: string): DiaryPod[] => [...(byPool.get(poolUid) ?? [])].filter((pod) => !pod.isGone),
    /** Says what is known of a pool's pods, for a report. */
    describe: (poolUid: string) =>
      [...(byPool.get(poolUid) ?? [])].map(({ uid, object, isGone, wasEnded }) => ({
        uid,
        name: object.metadata?.name,
        node: object.spec?.nodeName,
        phase: object.status?.phase,
        labels: object.metadata?.labels,
        annotations: object.metadata?.annotations,
        isLeaving: object.metadata?.deletionTimestamp !== undefined,
        isGone,
        wasEnded,
      })),
    forget(poolUid: string): void {
      for (const { uid } of byPool.get(poolUid) ?? []) pods.delete(uid)
      byPool.delete(poolUid)
    },
    /** Ends a pod's containers for good, as a crash that nothing restarts does. */
    fail(pod: DiaryPod): void {
      pod.wasEnded = true
      change(pod, (status) => ({ ...status, phase: 'Failed', conditions: unready(status.conditions) }))
    },
    /** Takes a pod's readiness away for a moment: the kubelet finds it ready again. */
    blink(pod: DiaryPod): void {
      change(pod, (status) => ({ ...status, conditions: unready(status.conditions) }))
    },
    /** A node takes no more pods, or takes them again. */
    cordon(node: string, isCordoned: boolean): void {
      simulator.store.update('nodes', { name: node }, (current) => ({
        ...current,
        spec: { ...(current.spec as object), unschedulable: isCordoned },
      }))
    },
    nodes: () => simulator.store.list('nodes').map((node) => node.metadata.name),
    stop,
  }

  function change({ object, isGone }: DiaryPod, make: (status: PodStatus) => PodStatus): void {
    if (isGone || object.metadata?.deletionTimestamp !== undefined) return
    const { namespace, name = '' } = object.metadata ?? {}
    simulator.store.update('pods', { namespace, name }, (current) => ({
      ...current,
      status: make(current.status as PodStatus),
    }))
  }
}

type PodStatus = NonNullable<V1Pod['status']>

export function isReady(pod: V1Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true
}

/** Neither on its way out nor ended. */
export function isLiving(pod: DiaryPod): boolean {
  const { metadata, status } = pod.object
  return !pod.isGone && metadata?.deletionTimestamp === undefined && status?.phase !== 'Failed'
}

function unready(conditions: PodStatus['conditions']): NonNullable<PodStatus['conditions']> {
  return (conditions ?? []).map((condition) =>
    condition.type === 'Ready' || condition.type === 'ContainersReady' ? { ...condition, status: 'False' } : condition,
  )
}
