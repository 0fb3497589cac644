import { createHash } from 'node:crypto'
import type { V1Pod } from '@kubernetes/client-node'
import { instanceAnnotation, labelsAnnotationPrefix, managedByLabel } from '../pools/names.ts'
import { isDetached, ownApp } from '../pools/pod-facts.ts'

/**
 * What an instance writes on its pod, for whoever looks at the cluster (pool API reference 6.2). Pure.
 *
 * All of them are merge patches that name the pod's uid: they fail on another pod of the same name.
 */

/** An instance, as far as its marks go. */
export type Marked = {
  readonly id: string
  readonly podUid: string
  readonly podName: string
  readonly labels: Readonly<Record<string, string>> | null
}

/** What of a pool decides how its pods are marked. */
export type MarkedPool = {
  /** An exclusive pod stays in its ReplicaSet, and is replaced when it goes: a fixed pool with `reuse`. */
  readonly staysInSet: boolean
  /** Labels of every pod of the pool; those of instances do not change them. */
  readonly labelKeys: ReadonlySet<string>
}

const safeToEvict = 'cluster-autoscaler.kubernetes.io/safe-to-evict'
const deletionCost = 'controller.kubernetes.io/pod-deletion-cost'
/** Above what a ReplicaSet's victims get, and all others have 0. */
const heldCost = '1000'

/** What says whose pod it is and who runs on it is not for instances to change. */
const ownKeys = new Set(['app', managedByLabel, 'yr-reuse', 'schedule-policy', 'instanceStatus', 'gracefulTerminating'])

/** The one patch of a claimed pod: it leaves its ReplicaSet, or is the last one that it gives up. */
export function exclusivePatch(instance: Marked, pool: MarkedPool): object {
  const place = pool.staysInSet
    ? { labels: { 'schedule-policy': 'monopoly' }, annotations: { [deletionCost]: heldCost }, metadata: {} }
    : { labels: { app: ownApp(instance.podName) }, annotations: {}, metadata: { ownerReferences: null } }
  return {
    metadata: {
      uid: instance.podUid,
      ...place.metadata,
      labels: { ...ownLabels(instance.labels, ownKeys), ...place.labels, instanceStatus: 'running' },
      annotations: { ...place.annotations, [safeToEvict]: 'false', [instanceAnnotation]: instance.id },
    },
  }
}

/** Bears the mark of this exclusive instance. */
export function bearsMark(pod: V1Pod, instanceId: string): boolean {
  const { labels = {}, annotations = {} } = pod.metadata ?? {}
  const hasPlace = isDetached(pod) || labels['schedule-policy'] === 'monopoly'
  return hasPlace && annotations[instanceAnnotation] === instanceId
}

/** The patch for a shared instance with labels. */
export function sharedPatch(instance: Marked, pool: MarkedPool): object {
  const labels = ownLabels(instance.labels, new Set([...ownKeys, ...pool.labelKeys]))
  return {
    metadata: {
      uid: instance.podUid,
      labels,
      annotations: { [labelsAnnotation(instance.id)]: JSON.stringify(labels), [safeToEvict]: 'false' },
    },
  }
}

/**
 * The patch that takes the labels of ended shared instances off their pod, where no other instance there has the same;
 * undefined when there are none. It fails when the pod was changed meanwhile: its labels are worked out from it.
 *
 * @param isEnded of an annotation's key
 */
export function unmarkPatch(pod: V1Pod, isEnded: (annotation: string) => boolean): object | undefined {
  const { uid, resourceVersion, annotations = {} } = pod.metadata ?? {}
  const keys = labelsAnnotations(pod)
  const ended = keys.filter(isEnded)
  if (ended.length === 0) return undefined
  const left = keys.filter((key) => !ended.includes(key))
  const kept = Object.assign({}, ...left.map((key) => readLabels(annotations[key]))) as Record<string, string>
  const removed = ended.flatMap((key) => Object.keys(readLabels(annotations[key])))
  return {
    metadata: {
      uid,
      resourceVersion,
      labels: Object.fromEntries(removed.map((key) => [key, kept[key] ?? null])),
      annotations: {
        ...Object.fromEntries(ended.map((key) => [key, null])),
        ...(left.length === 0 ? { [safeToEvict]: null } : {}),
      },
    },
  }
}

/** The annotations by which shared instances have labels on this pod. */
export function labelsAnnotations(pod: V1Pod): string[] {
  return Object.keys(pod.metadata?.annotations ?? {}).filter((key) => key.startsWith(labelsAnnotationPrefix))
}

/** The annotation that holds the labels of a shared instance; a hash stands for an id that cannot be part of a key. */
export function labelsAnnotation(instanceId: string): string {
  const key = `${labelsAnnotationPrefix}${instanceId}`
  if (/^[a-zA-Z0-9]([-a-zA-Z0-9_.]{0,61}[a-zA-Z0-9])?$/.test(key)) return key
  return `${labelsAnnotationPrefix}${createHash('sha256').update(instanceId).digest('hex').slice(0, 40)}`
}

function ownLabels(labels: Marked['labels'], except: ReadonlySet<string>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels ?? {}).filter(([key]) => !except.has(key)))
}

/** Somebody may have edited it. */
function readLabels(text: string | undefined): Record<string, string> {
  try {
    const value: unknown = JSON.parse(text ?? '{}')
    if (typeof value !== 'object' || value === null) return {}
    return Object.fromEntries(Object.entries(value).filter(([, label]) => typeof label === 'string'))
  } catch {
    return {}
  }
}
