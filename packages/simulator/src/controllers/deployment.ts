import { StatusError } from '../store/status-error.ts'
import type { StoredObject } from '../store/types.ts'
import { type Condition, type Deployment, type ReplicaSet, viewAs } from '../validation/kube-types.ts'
import { isSame } from '../validation/same.ts'
import { matchesSelector } from '../validation/selector.ts'
import { type ControllerContext, keyOf, parseKey } from './context.ts'
import { beginDeletion } from './deletion.ts'
import {
  bare,
  createdOf,
  DESIRED,
  MAX,
  newSetOf,
  passedOn,
  planned,
  REVISION,
  revisionOf,
  revisionsOf,
} from './deployment-sets.ts'
import { countStatus, isComplete, pauseConditions, rolloutStatus, setCondition, stuckAt } from './deployment-status.ts'
import { controllerOf, OrphanIndex, withOwner, withoutOwner } from './ownership.ts'
import { conditionOf } from './pod-state.ts'
import type { WorkQueue } from './queue.ts'
import {
  isScaling,
  newSetReplicas,
  planRolling,
  planScaling,
  type RolloutState,
  rollingBounds,
  type Scaling,
} from './rollout-plan.ts'
import { templateHash } from './template-hash.ts'

const SOURCE = 'deployment-controller'
/** A Deployment with its sets, as one pass sees them. */
type Pass = {
  readonly stored: StoredObject
  readonly deployment: Deployment
  readonly newSet: ReplicaSet | undefined
  readonly oldSets: readonly ReplicaSet[]
  readonly conditions: readonly Condition[]
}

/** Makes ReplicaSets for Deployments, rolls them out, scales them, keeps the status and the history. */
export class DeploymentController {
  readonly #context: ControllerContext
  readonly #queue: WorkQueue
  readonly #orphans: OrphanIndex

  constructor(context: ControllerContext) {
    this.#context = context
    this.#queue = context.queue('deployment', (key) => this.#sync(key))
    this.#orphans = new OrphanIndex(context, 'replicasets')
    context.follow('deployments', ({ object }) => this.#queue.add(keyOf(object)))
    context.watch('replicasets', ({ object, before }) => {
      for (const version of before === undefined ? [object] : [object, before]) this.#addOwnerOf(version)
    })
    // A Recreate rollout waits for the last old pod.
    context.watch('pods', ({ type, object }) => {
      if (type !== 'DELETED') return
      const owner = controllerOf(object)
      const namespace = object.metadata.namespace ?? ''
      if (owner?.kind !== 'ReplicaSet') return
      const set = context.store.get('replicasets', { namespace, name: owner.name })
      if (set !== undefined) this.#addOwnerOf(set)
    })
  }

  #addOwnerOf(set: StoredObject): void {
    const owner = controllerOf(set)
    if (owner?.kind === 'Deployment') this.#queue.add(`${set.metadata.namespace ?? ''}/${owner.name}`)
  }

  #sync(key: string): void {
    const stored = this.#context.store.get('deployments', parseKey(key))
    this.#queue.forget(key)
    if (stored === undefined) return
    const deployment = viewAs<Deployment>(stored)
    const sets = this.#claim(stored, deployment)
    const pass = this.#passOf(stored, deployment, sets)
    if (deployment.metadata.deletionTimestamp !== undefined) {
      this.#write(key, pass, false)
      return
    }
    const conditions = pauseConditions(deployment, pass.conditions, this.#context.now())
    const paused = { ...pass, conditions }
    if (deployment.spec.paused === true || isScaling(stateOf(paused))) {
      this.#apply(paused, planScaling(stateOf(paused)))
      if (deployment.spec.paused === true) this.#cleanUp(paused)
      this.#write(key, paused, false)
      return
    }
    this.#rollOut(key, paused)
  }

  #rollOut(key: string, pass: Pass): void {
    const { deployment } = pass
    if (deployment.spec.strategy?.type === 'Recreate') {
      const running = pass.oldSets.filter((set) => (set.spec.replicas ?? 0) > 0)
      if (running.length > 0) {
        this.#apply(
          pass,
          running.map((set) => ({ name: set.metadata.name, replicas: 0 })),
        )
        this.#write(key, pass, true)
        return
      }
      if (this.#hasPods(pass.oldSets)) {
        this.#write(key, pass, true)
        return
      }
    }
    const ready = this.#withNewSet(key, pass)
    if (ready === undefined) return
    const state = stateOf(ready)
    const wanted = deployment.spec.replicas ?? 1
    const scalings =
      deployment.spec.strategy?.type === 'Recreate'
        ? state.newSet === undefined || state.newSet.replicas === wanted
          ? []
          : [{ name: state.newSet.name, replicas: wanted }]
        : planRolling(state)
    this.#apply(ready, scalings)
    if (scalings.length === 0 && isComplete(deployment, deployment.status)) this.#cleanUp(ready)
    this.#write(key, ready, true)
  }

  #hasPods(sets: readonly ReplicaSet[]): boolean {
    return sets.some((set) => {
      for (const { plural } of this.#context.store.dependentsOf(set.metadata.uid)) if (plural === 'pods') return true
      return false
    })
  }

  #claim(stored: StoredObject, deployment: Deployment): readonly ReplicaSet[] {
    const { store } = this.#context
    const { selector } = deployment.spec
    for (const { plural, object } of store.dependentsOf(stored.metadata.uid)) {
      if (plural !== 'replicasets' || matchesSelector(selector, object.metadata.labels)) continue
      store.update('replicasets', object.metadata, (current) => withoutOwner(current, stored.metadata.uid))
    }
    if (deployment.metadata.deletionTimestamp === undefined) {
      for (const set of this.#orphans.list(deployment.metadata.namespace ?? '')) {
        if (!matchesSelector(selector, set.metadata.labels) || set.metadata.deletionTimestamp !== undefined) continue
        store.update('replicasets', set.metadata, (current) => withOwner(current, stored))
      }
    }
    const owned: ReplicaSet[] = []
    for (const { plural, object } of store.dependentsOf(stored.metadata.uid)) {
      if (plural !== 'replicasets' || controllerOf(object)?.uid !== stored.metadata.uid) continue
      owned.push(viewAs<ReplicaSet>(object))
    }
    return owned.toSorted((a, b) => createdOf(a) - createdOf(b) || (a.metadata.name < b.metadata.name ? -1 : 1))
  }

  #passOf(stored: StoredObject, deployment: Deployment, sets: readonly ReplicaSet[]): Pass {
    const newSet = sets.find((set) => isSame(bare(set.spec.template), bare(deployment.spec.template)))
    return {
      stored,
      deployment,
      newSet,
      oldSets: sets.filter((set) => set !== newSet),
      conditions: deployment.status?.conditions ?? [],
    }
  }

  /** Brings the new set's annotations up to date, or makes the set. Undefined when the Deployment must be looked at anew. */
  #withNewSet(key: string, pass: Pass): Pass | undefined {
    const { deployment, newSet } = pass
    const revision = String(1 + Math.max(0, ...pass.oldSets.map(revisionOf)))
    const now = this.#context.now()
    if (newSet !== undefined) {
      const kept = Math.max(revisionOf(newSet), Number(revision))
      this.#annotate(newSet, deployment, String(kept))
      this.#setRevision(deployment, String(kept))
      const conditions =
        conditionOf(pass.conditions, 'Progressing') === undefined
          ? setCondition(
              pass.conditions,
              'Progressing',
              'True',
              'FoundNewReplicaSet',
              `Found new replica set "${newSet.metadata.name}"`,
              now,
            )
          : pass.conditions
      return { ...pass, conditions }
    }
    return this.#createSet(key, pass, revision)
  }

  #createSet(key: string, pass: Pass, revision: string): Pass | undefined {
    const { stored, deployment } = pass
    const { store } = this.#context
    const hash = templateHash(deployment.spec.template, deployment.status?.collisionCount)
    const replicas = newSetReplicas(stateOf(pass), 0)
    const object = newSetOf(stored, deployment, hash, replicas, revision)
    try {
      const made = viewAs<ReplicaSet>(store.create('replicasets', object))
      if (replicas > 0) this.#scaled(pass, made.metadata.name, 0, replicas)
      this.#setRevision(deployment, revision)
      const text = `Created new replica set "${made.metadata.name}"`
      const now = this.#context.now()
      return {
        ...pass,
        newSet: made,
        conditions: setCondition(pass.conditions, 'Progressing', 'True', 'NewReplicaSetCreated', text, now),
      }
    } catch (error) {
      if (!(error instanceof StatusError) || error.code !== 409) throw error
      // Another set has the name: count the collision, which changes the hash, and try again.
      store.update('deployments', parseKey(key), (current) => ({
        ...current,
        status: { ...deployment.status, collisionCount: (deployment.status?.collisionCount ?? 0) + 1 },
      }))
      this.#queue.add(key)
      return undefined
    }
  }

  #annotate(set: ReplicaSet, deployment: Deployment, revision: string): void {
    const annotations = { ...set.metadata.annotations, ...passedOn(deployment), ...revisionsOf(set, revision) }
    const minReady = deployment.spec.minReadySeconds
    if (isSame(annotations, set.metadata.annotations) && (set.spec.minReadySeconds ?? 0) === (minReady ?? 0)) return
    this.#context.store.update('replicasets', set.metadata, (current) => {
      const { minReadySeconds: _old, ...spec } = viewAs<ReplicaSet>(current).spec
      return {
        ...current,
        metadata: { ...current.metadata, annotations },
        spec: { ...spec, ...(minReady === undefined ? {} : { minReadySeconds: minReady }) },
      }
    })
  }

  #setRevision(deployment: Deployment, revision: string): void {
    if (deployment.metadata.annotations?.[REVISION] === revision) return
    this.#context.store.update('deployments', deployment.metadata, (current) => ({
      ...current,
      metadata: { ...current.metadata, annotations: { ...current.metadata.annotations, [REVISION]: revision } },
    }))
  }

  #apply(pass: Pass, scalings: readonly Scaling[]): void {
    const wanted = pass.deployment.spec.replicas ?? 1
    const { maxSurge } = rollingBounds(pass.deployment.spec.strategy, wanted)
    const sizes = new Map(scalings.map(({ name, replicas }) => [name, replicas]))
    for (const set of pass.newSet === undefined ? pass.oldSets : [...pass.oldSets, pass.newSet]) {
      const before = set.spec.replicas ?? 1
      const size = sizes.get(set.metadata.name) ?? before
      const annotations = { [DESIRED]: String(wanted), [MAX]: String(wanted + maxSurge) }
      const current = set.metadata.annotations
      const stale = size > 0 && (current?.[DESIRED] !== annotations[DESIRED] || current?.[MAX] !== annotations[MAX])
      if (size === before && !stale) continue
      this.#context.store.update('replicasets', set.metadata, (stored) => ({
        ...stored,
        metadata: { ...stored.metadata, annotations: { ...stored.metadata.annotations, ...annotations } },
        spec: { ...viewAs<ReplicaSet>(stored).spec, replicas: size },
      }))
      if (size !== before) this.#scaled(pass, set.metadata.name, before, size)
    }
  }

  #scaled(pass: Pass, name: string, from: number, to: number): void {
    const message = `Scaled ${to > from ? 'up' : 'down'} replica set ${name} from ${from} to ${to}`
    this.#context.events.record(pass.stored, { type: 'Normal', reason: 'ScalingReplicaSet', message, source: SOURCE })
  }

  /** Forgets the oldest sets beyond the history limit that have nothing any more. */
  #cleanUp(pass: Pass): void {
    const limit = pass.deployment.spec.revisionHistoryLimit ?? 10
    const kept = pass.oldSets.filter((set) => set.metadata.deletionTimestamp === undefined)
    const surplus = kept.length - limit
    if (surplus <= 0) return
    for (const set of kept.toSorted((a, b) => revisionOf(a) - revisionOf(b)).slice(0, surplus)) {
      const idle = (set.status?.replicas ?? 0) === 0 && (set.spec.replicas ?? 0) === 0
      if (!idle || (set.metadata.generation ?? 0) > (set.status?.observedGeneration ?? 0)) continue
      beginDeletion(this.#context.store, 'replicasets', set.metadata, this.#context.now())
    }
  }

  #write(key: string, pass: Pass, progress: boolean): void {
    const { store } = this.#context
    const fresh = (set: ReplicaSet) => {
      const now = store.get('replicasets', set.metadata)
      return now === undefined ? [] : [viewAs<ReplicaSet>(now)]
    }
    const newSet = pass.newSet === undefined ? undefined : fresh(pass.newSet)[0]
    const sets = [...pass.oldSets.flatMap(fresh), ...(newSet === undefined ? [] : [newSet])]
    const now = this.#context.now()
    const input = { deployment: pass.deployment, sets, newSet, now, conditions: pass.conditions }
    const status = progress ? rolloutStatus(input) : countStatus(input)
    const stuck = stuckAt(pass.deployment, status.conditions ?? [])
    if (progress && stuck !== undefined) this.#queue.addAfter(key, Math.max(stuck - now.getTime() + 1, 1))
    if (isSame(status, pass.deployment.status)) return
    store.update('deployments', parseKey(key), (current) => ({ ...current, status }))
  }
}

function stateOf({ deployment, newSet, oldSets }: Pass): RolloutState {
  return {
    replicas: deployment.spec.replicas ?? 1,
    strategy: deployment.spec.strategy,
    newSet: newSet === undefined ? undefined : planned(newSet),
    oldSets: oldSets.map(planned),
    statusReplicas: deployment.status?.replicas ?? 0,
  }
}
