import { kindOf } from '../store/kinds.ts'
import { StatusError } from '../store/status-error.ts'
import type { NewObject, StoredObject } from '../store/types.ts'
import { admit } from '../validation/admit.ts'
import { type Condition, type Pod, type ReplicaSet, type ReplicaSetStatus, viewAs } from '../validation/kube-types.ts'
import { isSame } from '../validation/same.ts'
import { matchesSelector } from '../validation/selector.ts'
import { type ControllerContext, keyOf, parseKey } from './context.ts'
import { beginDeletion } from './deletion.ts'
import { controllerOf, controllerReference, OrphanIndex, withOwner, withoutOwner } from './ownership.ts'
import { conditionOf, isActive, isAvailable, isReady, isTerminating, readySince } from './pod-state.ts'
import type { WorkQueue } from './queue.ts'
import { chooseVictims } from './replica-victims.ts'

const SOURCE = 'replicaset-controller'
/** Pods that one pass makes or deletes at most. */
const BURST = 500
const pods = kindOf('pods')

type Owned = { readonly stored: StoredObject; readonly pod: Pod }
type Failure = { readonly reason: 'FailedCreate' | 'FailedDelete'; readonly message: string }

/** Keeps as many pods as each ReplicaSet wants, adopts and releases pods by selector, writes the status. */
export class ReplicaSetController {
  readonly #context: ControllerContext
  readonly #queue: WorkQueue
  readonly #orphans: OrphanIndex
  /** ReplicaSets of a namespace, for pods without an owner. */
  readonly #byNamespace = new Map<string, Set<string>>()

  constructor(context: ControllerContext) {
    this.#context = context
    this.#queue = context.queue('replicaset', (key) => this.#sync(key))
    this.#orphans = new OrphanIndex(context, 'pods')
    context.follow('replicasets', ({ type, object }) => {
      const namespace = object.metadata.namespace ?? ''
      const keys = this.#byNamespace.get(namespace) ?? new Set()
      this.#byNamespace.set(namespace, keys)
      if (type === 'DELETED') keys.delete(keyOf(object))
      else keys.add(keyOf(object))
      this.#queue.add(keyOf(object))
    })
    context.watch('pods', ({ object, before }) => {
      for (const version of before === undefined ? [object] : [object, before]) this.#addOwnerOf(version)
    })
  }

  #addOwnerOf(pod: StoredObject): void {
    const owner = controllerOf(pod)
    const namespace = pod.metadata.namespace ?? ''
    if (owner?.kind === 'ReplicaSet') this.#queue.add(`${namespace}/${owner.name}`)
    if (owner !== undefined) return
    for (const key of this.#byNamespace.get(namespace) ?? []) {
      const set = this.#context.store.get('replicasets', parseKey(key))
      if (set === undefined) continue
      if (matchesSelector(viewAs<ReplicaSet>(set).spec.selector, pod.metadata.labels)) this.#queue.add(key)
    }
  }

  #sync(key: string): void {
    const stored = this.#context.store.get('replicasets', parseKey(key))
    if (stored === undefined) {
      this.#queue.forget(key)
      return
    }
    const set = viewAs<ReplicaSet>(stored)
    const owned = this.#claim(stored, set)
    const failure = set.metadata.deletionTimestamp === undefined ? this.#manage(stored, set, owned) : undefined
    this.#writeStatus(key, set, this.#ownedPods(stored), failure)
    if (failure === undefined) this.#queue.forget(key)
    else this.#queue.retry(key)
  }

  #ownedPods(owner: StoredObject): readonly Owned[] {
    const found: Owned[] = []
    for (const { plural, object } of this.#context.store.dependentsOf(owner.metadata.uid)) {
      if (plural !== 'pods' || controllerOf(object)?.uid !== owner.metadata.uid) continue
      found.push({ stored: object, pod: viewAs<Pod>(object) })
    }
    return found
  }

  /** Releases pods that the selector no longer matches, adopts those that it does. */
  #claim(stored: StoredObject, set: ReplicaSet): readonly Owned[] {
    const { store } = this.#context
    const { selector } = set.spec
    let changed = false
    const owned = this.#ownedPods(stored)
    for (const { stored: pod } of owned) {
      if (matchesSelector(selector, pod.metadata.labels)) continue
      store.update('pods', pod.metadata, (current) => withoutOwner(current, stored.metadata.uid))
      changed = true
    }
    if (set.metadata.deletionTimestamp === undefined) {
      for (const pod of this.#orphans.list(set.metadata.namespace ?? '')) {
        if (!matchesSelector(selector, pod.metadata.labels) || !isActive(viewAs<Pod>(pod))) continue
        store.update('pods', pod.metadata, (current) => withOwner(current, stored))
        changed = true
      }
    }
    return changed ? this.#ownedPods(stored) : owned
  }

  #manage(stored: StoredObject, set: ReplicaSet, owned: readonly Owned[]): Failure | undefined {
    const active = owned.filter(({ pod }) => isActive(pod))
    const difference = active.length - (set.spec.replicas ?? 1)
    if (difference < 0) return this.#create(stored, set, Math.min(-difference, BURST))
    if (difference === 0) return undefined
    const victims = chooseVictims(
      active.map(({ pod }) => pod),
      Math.min(difference, BURST),
      this.#context.now().getTime(),
    )
    for (const victim of victims) {
      beginDeletion(this.#context.store, 'pods', victim.metadata, this.#context.now())
      this.#event(stored, 'Normal', 'SuccessfulDelete', `Deleted pod: ${victim.metadata.name}`)
    }
    return undefined
  }

  #create(stored: StoredObject, set: ReplicaSet, count: number): Failure | undefined {
    const { store } = this.#context
    for (let made = 0; made < count; made++) {
      try {
        const { object } = admit(pods, podOf(stored, set), { store, now: this.#context.now() })
        const pod = store.create('pods', object)
        this.#event(stored, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`)
      } catch (error) {
        if (!(error instanceof StatusError)) throw error
        this.#event(stored, 'Warning', 'FailedCreate', `Error creating: ${error.message}`)
        return { reason: 'FailedCreate', message: error.message }
      }
    }
    return undefined
  }

  #event(stored: StoredObject, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#context.events.record(stored, { type, reason, message, source: SOURCE })
  }

  #writeStatus(key: string, set: ReplicaSet, owned: readonly Owned[], failure: Failure | undefined): void {
    const now = this.#context.now()
    const status = replicaSetStatus(
      set,
      owned.map(({ pod }) => pod),
      failure,
      now.getTime(),
      this.#context.timestamp(),
    )
    const minReady = set.spec.minReadySeconds ?? 0
    if (minReady > 0 && (status.availableReplicas ?? 0) < (status.readyReplicas ?? 0)) {
      const waits = owned.map(({ pod }) => (readySince(pod) ?? Number.POSITIVE_INFINITY) + minReady * 1000)
      const next = Math.min(...waits.filter((time) => time > now.getTime()))
      if (Number.isFinite(next)) this.#queue.addAfter(key, next - now.getTime() + 1)
    }
    if (isSame(status, set.status)) return
    this.#context.store.update('replicasets', parseKey(key), (current) => ({ ...current, status }))
  }
}

function podOf(stored: StoredObject, set: ReplicaSet): NewObject {
  const { template } = set.spec
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: `${set.metadata.name}-`,
      namespace: set.metadata.namespace ?? '',
      ...(template.metadata?.labels === undefined ? {} : { labels: template.metadata.labels }),
      ...(template.metadata?.annotations === undefined ? {} : { annotations: template.metadata.annotations }),
      ownerReferences: [controllerReference(stored)],
    },
    spec: template.spec,
  }
}

/** A ReplicaSet's status from its pods. Zero counts are left out but for `replicas`, as the API server leaves them out. */
export function replicaSetStatus(
  set: ReplicaSet,
  owned: readonly Pod[],
  failure: Failure | undefined,
  now: number,
  timestamp: string,
): ReplicaSetStatus {
  const active = owned.filter(isActive)
  const labels = Object.entries(set.spec.template.metadata?.labels ?? {})
  const labeled = active.filter((pod) => labels.every(([key, value]) => pod.metadata.labels?.[key] === value))
  const ready = active.filter(isReady)
  const available = ready.filter((pod) => isAvailable(pod, set.spec.minReadySeconds ?? 0, now))
  const conditions = failureConditions(set.status?.conditions, failure, timestamp)
  return {
    replicas: active.length,
    ...(labeled.length === 0 ? {} : { fullyLabeledReplicas: labeled.length }),
    ...(ready.length === 0 ? {} : { readyReplicas: ready.length }),
    ...(available.length === 0 ? {} : { availableReplicas: available.length }),
    terminatingReplicas: owned.filter(isTerminating).length,
    observedGeneration: set.metadata.generation ?? 0,
    ...(conditions.length === 0 ? {} : { conditions }),
  }
}

function failureConditions(
  known: readonly Condition[] | undefined,
  failure: Failure | undefined,
  timestamp: string,
): readonly Condition[] {
  const others = (known ?? []).filter((condition) => condition.type !== 'ReplicaFailure')
  const before = conditionOf(known, 'ReplicaFailure')
  if (failure === undefined) return others
  // The first failure's words stay until it is over, as in the real controller.
  if (before !== undefined) return known ?? []
  return [...others, { type: 'ReplicaFailure', status: 'True', lastTransitionTime: timestamp, ...failure }]
}
