import type { V1Deployment, V2HorizontalPodAutoscaler } from '@kubernetes/client-node'
import type { KubeObject } from '../kube/types.ts'
import type { RetriedFailure } from './cluster-failure.ts'
import { type BuiltDeployment, buildDeployment } from './deployment.ts'
import { type Drift, deploymentDrift, hpaDrift } from './drift.ts'
import { type BuiltHpa, buildHpa } from './hpa.ts'
import { createLimiter, type Limiter } from './limiter.ts'
import { isOurs, replicaTrouble } from './observed.ts'
import type { DeploymentView, HpaView, PodView, PoolObserved, Step } from './plan-types.ts'
import { isNewer, type PodIndex } from './pod-index.ts'
import type { Pool, PoolEventDraft } from './pool.ts'
import type { PoolTemplate } from './template.ts'

/** What the controller holds of one pool while it leads. All of it can be lost: the row and the cluster give it back. */
export type PoolEntry = {
  pool: Pool
  built: Built
  /** As we last wrote them, until the reflector is as far. */
  deployment: Written<V1Deployment> | undefined
  hpa: Written<V2HorizontalPodAutoscaler> | undefined
  /** Pods that autoscaling wants; undefined: no more than the size. */
  wanted: number | undefined
  /** Pods that autoscaling wants to be taken away, and that have not been yet. */
  surplus: number
  /** Scale-up steps that requests in line want, as last read. */
  steps: number
  /** Requests in line, as last read. */
  waiting: number
  /** Pods that were shared and that nobody is on, while requests wait, as last read. */
  idleShared: number
  /** Steps that were taken and whose pods are not made yet. */
  owed: number
  /** How often steps were taken. */
  takes: number
  /** The pool is being deleted, and nobody can get a pod of it any more. */
  isClosed: boolean
  /** Uids of pods that hold instances though they may bear no mark, as the tables last said. */
  held: Set<string>
  /** Uids of pods that are retired, until they are gone. */
  readonly retired: Set<string>
  /** Names of pods that are being created; one with an unknown outcome stays until it is known. */
  readonly creating: Set<string>
  /** Names of pods made since the story last told of them. */
  made: string[]
  /** Uids whose deletion was accepted and that the reflector still shows. */
  readonly deleting: Set<string>
  /** Uids of the Deployments that this process made. */
  readonly madeHere: Set<string>
  readonly failures: Map<Step, RetriedFailure>
  /** Creations with an unknown outcome are looked into one by one. */
  readonly lookups: Limiter
  /** Creations that may be begun at once: a few at first, 1 after a failure, doubled with each success. */
  burst: number
  /** When the number of ready pods was last written by itself, in milliseconds since the epoch. */
  countedAt: number
  /** Lines of the story that the next write carries. */
  events: PoolEventDraft[]
  drift: { readonly object: V1Deployment; readonly built: Built; readonly drift: Drift } | undefined
}

export type Written<T extends KubeObject> = { readonly object: T; readonly atMs: number }

/** What the pool wants on the cluster. */
export type Built = BuiltDeployment & { readonly hpa: BuiltHpa }

/** Pods in flight per pool at most; the whole controller's bound on API writes is below that of many pools together. */
export const maxCreatingPerPool = 32

/** Enough to be at the bound after one round trip, and few enough not to be missed when all are refused. */
const firstBurst = 4

export function createEntry(pool: Pool, template: PoolTemplate, namespace: string): PoolEntry {
  return {
    pool,
    built: build(pool, template, namespace),
    deployment: undefined,
    hpa: undefined,
    wanted: undefined,
    surplus: 0,
    steps: 0,
    waiting: 0,
    idleShared: 0,
    owed: 0,
    takes: 0,
    isClosed: false,
    held: new Set(),
    retired: new Set(),
    creating: new Set(),
    made: [],
    deleting: new Set(),
    madeHere: new Set(),
    failures: new Map(),
    lookups: createLimiter(1),
    burst: firstBurst,
    countedAt: 0,
    events: [],
    drift: undefined,
  }
}

export function build(pool: Pool, template: PoolTemplate, namespace: string): Built {
  return { ...buildDeployment(pool, template, namespace), hpa: buildHpa(pool, namespace) }
}

export type Seen = {
  readonly deployment: V1Deployment | undefined
  readonly hpa: V2HorizontalPodAutoscaler | undefined
}

/** The pool's view of the cluster: what the reflectors show, and what we wrote that they do not show yet. */
export function observe(entry: PoolEntry, seen: Seen, index: PodIndex): PoolObserved {
  const { pool, built } = entry
  const deployment = currentDeployment(entry, seen.deployment)
  const hpa = currentHpa(entry, seen.hpa)
  const ownerUid = deployment !== undefined && isOurs(deployment, pool.uid) ? deployment.metadata?.uid : undefined
  const pods: PodView[] = []
  const strays: PodView[] = []
  let detached = 0
  for (const pod of index.podsOf(pool.uid)) {
    const view = viewPod(entry, pod)
    if (pod.isDetached === true) {
      if (pool.scalable) pods.push(view)
      else if (!view.isDeleting) detached += 1
      continue
    }
    const owner = pod.ownerKind === 'ReplicaSet' ? index.deploymentOf(pod.ownerUid) : pod.ownerUid
    if (ownerUid !== undefined && owner === ownerUid) pods.push(view)
    // Without an owner: somebody deleted the Deployment and orphaned its pods. Nothing else would ever take them away.
    else if (pod.ownerKind === 'Deployment' || pod.ownerKind === '') strays.push(view)
  }
  return {
    deployment: deployment === undefined ? undefined : viewDeployment(entry, deployment, index),
    hpa: hpa === undefined ? undefined : viewHpa(entry, hpa),
    hpaWanted: built.hpa,
    pods,
    strays,
    detached,
    steps: entry.steps,
    waiting: entry.waiting,
    idleShared: entry.idleShared,
    owed: entry.owed,
    isClosed: entry.isClosed,
    creating: entry.creating.size,
    wanted: entry.wanted,
    surplus: entry.surplus,
    mayCreate: Math.max(0, entry.burst - entry.creating.size),
    fieldNotes: built.notes,
    failures: Object.fromEntries(entry.failures),
  }
}

/** A pod that is to go is as good as gone, whether or not the cluster was told. */
export function viewPod(entry: PoolEntry, pod: PodView): PodView {
  const { uid } = pod
  const isSent = entry.deleting.has(uid) || pod.isDeleting
  if (isSent || entry.retired.has(uid)) return { ...pod, isDeleting: true, isReady: false, isRetired: !isSent }
  return entry.held.has(uid) && !pod.isBusy ? { ...pod, isBusy: true } : pod
}

export function currentDeployment(entry: PoolEntry, seen: V1Deployment | undefined): V1Deployment | undefined {
  if (entry.deployment !== undefined && isOverdue(entry.deployment.object, seen)) entry.deployment = undefined
  return entry.deployment?.object ?? seen
}

export function currentHpa(
  entry: PoolEntry,
  seen: V2HorizontalPodAutoscaler | undefined,
): V2HorizontalPodAutoscaler | undefined {
  if (entry.hpa !== undefined && isOverdue(entry.hpa.object, seen)) entry.hpa = undefined
  return entry.hpa?.object ?? seen
}

/** The reflector is as far as what we wrote, or further. That it shows nothing says nothing: it may be behind. */
function isOverdue(written: KubeObject, seen: KubeObject | undefined): boolean {
  if (seen === undefined) return false
  return !isNewer(written.metadata?.resourceVersion ?? '', seen.metadata?.resourceVersion ?? '')
}

function viewDeployment(entry: PoolEntry, object: V1Deployment, index: PodIndex): DeploymentView {
  const uid = object.metadata?.uid ?? ''
  const isOursHere = isOurs(object, entry.pool.uid)
  return {
    uid,
    isOurs: isOursHere,
    isMadeHere: entry.madeHere.has(uid),
    isDeleting: object.metadata?.deletionTimestamp !== undefined || entry.deleting.has(uid),
    replicas: object.spec?.replicas ?? 1,
    drift: isOursHere ? driftOf(entry, object).fields : [],
    trouble: replicaTrouble(object) ?? index.troubleOf(uid),
  }
}

/** Compared once per state of the Deployment: it changes far less often than the pool is looked at. */
export function driftOf(entry: PoolEntry, object: V1Deployment): Drift {
  if (entry.drift?.object !== object || entry.drift.built !== entry.built)
    entry.drift = { object, built: entry.built, drift: deploymentDrift(entry.built.deployment, object) }
  return entry.drift.drift
}

function viewHpa(entry: PoolEntry, object: V2HorizontalPodAutoscaler): HpaView {
  const isOursHere = isOurs(object, entry.pool.uid)
  const { hpa } = entry.built
  return {
    isOurs: isOursHere,
    isDeleting: object.metadata?.deletionTimestamp !== undefined || entry.deleting.has(object.metadata?.uid ?? ''),
    drift: isOursHere && hpa.kind === 'wanted' ? hpaDrift(hpa.hpa, object).fields : [],
  }
}
