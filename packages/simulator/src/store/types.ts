/**
 * What the simulator's parts share. The REST API (`api/`) and the controllers (`controllers/`) both work on one
 * `ObjectStore` in memory; the API adds what a kube-apiserver does at its door (defaults, validation, admission), the
 * controllers play controller manager, scheduler and kubelet.
 */

/** An object as stored. Stored objects are immutable: a change is a new object, so readers may keep what they got. */
export type StoredObject = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly [member: string]: unknown
}

export type ObjectMeta = {
  readonly name: string
  /** '' for cluster-scoped kinds. */
  readonly namespace?: string
  readonly uid: string
  readonly resourceVersion: string
  readonly generation?: number
  readonly creationTimestamp: string
  readonly deletionTimestamp?: string
  readonly deletionGracePeriodSeconds?: number
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly ownerReferences?: readonly OwnerReference[]
  readonly finalizers?: readonly string[]
  readonly generateName?: string
  readonly [member: string]: unknown
}

export type OwnerReference = {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean
  readonly blockOwnerDeletion?: boolean
}

/** One served kind. `plural` is unique in the simulator and keys the store. */
export type Kind = {
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly singular: string
  readonly kind: string
  readonly shortNames: readonly string[]
  readonly namespaced: boolean
  /** A status subresource exists: writes to the main resource leave status alone, and the other way round. */
  readonly hasStatus: boolean
  readonly hasScale?: boolean
}

export type StoreEvent = {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly plural: string
  readonly object: StoredObject
  /** The object before, for MODIFIED and DELETED (selectors of a watch need it). */
  readonly before?: StoredObject
}

export type Key = { readonly namespace?: string | undefined; readonly name: string }

/**
 * All objects of the simulated cluster. One counter gives resourceVersions over all kinds, as etcd's revision does.
 * Writes are synchronous and atomic; whoever persists them is behind `subscribe`-like hooks of the implementation.
 */
export type ObjectStore = {
  readonly revision: number
  get(plural: string, key: Key): StoredObject | undefined
  /** All objects of a kind, of one namespace when given, in name order. */
  list(plural: string, namespace?: string): Iterable<StoredObject>
  count(plural: string): number
  /** Dependents by owner uid, over all kinds. */
  dependentsOf(ownerUid: string): Iterable<{ readonly plural: string; readonly object: StoredObject }>
  /**
   * Stores a new object: sets uid, resourceVersion, creationTimestamp, generation 1, and the name when only
   * generateName is there. Throws StatusError 409 AlreadyExists.
   */
  create(plural: string, object: NewObject): StoredObject
  /**
   * Replaces an object by what `change` makes of it; undefined or the same object back means no write (no new version).
   * `generation` grows when anything outside metadata and status changed. Throws StatusError 404 NotFound.
   * An object with a deletionTimestamp whose last finalizer went, and whose grace period is 0, is removed.
   */
  update(plural: string, key: Key, change: (current: StoredObject) => NewObject | undefined): StoredObject
  /** Removes the object now, whatever its finalizers: for the garbage collector and the kubelet's last step. */
  remove(plural: string, key: Key): StoredObject | undefined
  /** Called synchronously after every write, in order. Listeners must not throw and must not write in the call (queue instead). Returns how to stop. */
  subscribe(plural: string, listener: (event: StoreEvent) => void): () => void
}

/** What a writer hands in: the store fills in the rest of the metadata. */
export type NewObject = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name?: string; readonly namespace?: string; readonly [member: string]: unknown }
  readonly [member: string]: unknown
}

/** A field that is wrong, in kube-apiserver's words; becomes a member of `details.causes`. */
export type FieldCause = {
  /** `spec.containers[0].image` */
  readonly field: string
  /** `FieldValueRequired`, `FieldValueInvalid`, `FieldValueDuplicate`, `FieldValueNotFound`, `FieldValueNotSupported`, `FieldValueForbidden`, `FieldValueTooLong` */
  readonly reason: string
  /** `Required value`, `Invalid value: "x": must be ...`: what follows the field in the Status message. */
  readonly message: string
}
