import { kinds } from '../store/kinds.ts'
import type { OwnerReference, StoredObject } from '../store/types.ts'
import { type ControllerContext, keyOf, parseKey } from './context.ts'
import { beginDeletion } from './deletion.ts'
import { withoutOwner } from './ownership.ts'
import type { WorkQueue } from './queue.ts'

const FOREGROUND = 'foregroundDeletion'
const ORPHAN = 'orphan'

type OwnerState = 'here' | 'waiting' | 'gone'

/** Deletes what lost its last owner, deletes dependents first when asked to, and lets go of orphans. */
export class GarbageCollector {
  readonly #context: ControllerContext
  readonly #queue: WorkQueue

  constructor(context: ControllerContext) {
    this.#context = context
    this.#queue = context.queue('garbage collector', (key) => this.#sync(key))
    for (const { plural } of kinds) {
      context.follow(plural, ({ type, object }) => {
        if (type === 'DELETED') {
          this.#addDependentsOf(object)
          // An owner that waits for its dependents may go now.
          for (const owner of object.metadata.ownerReferences ?? []) this.#addOwner(owner, object)
          return
        }
        if ((object.metadata.ownerReferences ?? []).length > 0 && type === 'ADDED') this.#add(plural, object)
        if (object.metadata.deletionTimestamp === undefined) return
        const finalizers = object.metadata.finalizers ?? []
        if (finalizers.includes(FOREGROUND) || finalizers.includes(ORPHAN)) this.#add(plural, object)
      })
    }
  }

  #add(plural: string, object: StoredObject): void {
    this.#queue.add(`${plural} ${keyOf(object)}`)
  }

  #addDependentsOf(owner: StoredObject): void {
    for (const { plural, object } of this.#context.store.dependentsOf(owner.metadata.uid)) this.#add(plural, object)
  }

  #addOwner(reference: OwnerReference, dependent: StoredObject): void {
    const plural = pluralOf(reference)
    if (plural === undefined) return
    const owner = this.#find(plural, reference, dependent)
    if (owner?.metadata.deletionTimestamp !== undefined) this.#add(plural, owner)
  }

  #find(plural: string, reference: OwnerReference, dependent: StoredObject): StoredObject | undefined {
    const namespaced = kinds.find((kind) => kind.plural === plural)?.namespaced === true
    const namespace = namespaced ? dependent.metadata.namespace : undefined
    const found = this.#context.store.get(plural, { namespace, name: reference.name })
    return found?.metadata.uid === reference.uid ? found : undefined
  }

  #sync(item: string): void {
    const space = item.indexOf(' ')
    const plural = item.slice(0, space)
    const key = parseKey(item.slice(space + 1))
    const object = this.#context.store.get(plural, key)
    this.#queue.forget(item)
    if (object === undefined) return
    const finalizers = object.metadata.finalizers ?? []
    const deleted = object.metadata.deletionTimestamp !== undefined
    if (deleted && finalizers.includes(ORPHAN)) this.#orphan(plural, object)
    else if (deleted && finalizers.includes(FOREGROUND)) this.#deleteDependents(plural, object)
    else this.#collect(plural, object)
  }

  #orphan(plural: string, owner: StoredObject): void {
    const { store } = this.#context
    for (const dependent of store.dependentsOf(owner.metadata.uid)) {
      store.update(dependent.plural, dependent.object.metadata, (current) => withoutOwner(current, owner.metadata.uid))
    }
    this.#dropFinalizer(plural, owner, ORPHAN)
  }

  #deleteDependents(plural: string, owner: StoredObject): void {
    let blocking = false
    for (const dependent of this.#context.store.dependentsOf(owner.metadata.uid)) {
      const reference = dependent.object.metadata.ownerReferences?.find(({ uid }) => uid === owner.metadata.uid)
      if (reference?.blockOwnerDeletion === true) blocking = true
      this.#collect(dependent.plural, dependent.object)
    }
    if (blocking) {
      // What went at once no longer blocks.
      for (const dependent of this.#context.store.dependentsOf(owner.metadata.uid)) {
        const owners = dependent.object.metadata.ownerReferences ?? []
        if (owners.some(({ uid, blockOwnerDeletion }) => uid === owner.metadata.uid && blockOwnerDeletion === true))
          return
      }
    }
    this.#dropFinalizer(plural, owner, FOREGROUND)
  }

  #dropFinalizer(plural: string, object: StoredObject, finalizer: string): void {
    const { store } = this.#context
    if (store.get(plural, object.metadata) === undefined) return
    store.update(plural, object.metadata, (current) => ({
      ...current,
      metadata: {
        ...current.metadata,
        finalizers: (current.metadata.finalizers ?? []).filter((other) => other !== finalizer),
      },
    }))
  }

  #stateOf(reference: OwnerReference, dependent: StoredObject): OwnerState {
    const plural = pluralOf(reference)
    // An owner of a kind that is not served cannot be looked up: it is not known to be gone.
    if (plural === undefined) return 'here'
    const owner = this.#find(plural, reference, dependent)
    if (owner === undefined) return 'gone'
    const waits =
      owner.metadata.deletionTimestamp !== undefined && (owner.metadata.finalizers ?? []).includes(FOREGROUND)
    return waits ? 'waiting' : 'here'
  }

  /** Deletes an object none of whose owners is left; takes off references to owners that are gone otherwise. */
  #collect(plural: string, object: StoredObject): void {
    const owners = object.metadata.ownerReferences ?? []
    if (owners.length === 0) return
    const states = owners.map((owner) => ({ owner, state: this.#stateOf(owner, object) }))
    const { store } = this.#context
    if (states.some(({ state }) => state === 'here')) {
      const left = states.filter(({ state }) => state === 'here').map(({ owner }) => owner)
      if (left.length === owners.length) return
      store.update(plural, object.metadata, (current) => ({
        ...current,
        metadata: { ...current.metadata, ownerReferences: left },
      }))
      return
    }
    if (object.metadata.deletionTimestamp !== undefined) return
    const waiting = states.some(({ state }) => state === 'waiting')
    const hasDependents = !store.dependentsOf(object.metadata.uid)[Symbol.iterator]().next().done
    const propagation = waiting && hasDependents ? 'Foreground' : 'Background'
    beginDeletion(store, plural, object.metadata, this.#context.now(), propagation)
  }
}

function pluralOf(reference: OwnerReference): string | undefined {
  const group = reference.apiVersion.includes('/')
    ? reference.apiVersion.slice(0, reference.apiVersion.indexOf('/'))
    : ''
  return kinds.find((kind) => kind.kind === reference.kind && kind.group === group)?.plural
}
