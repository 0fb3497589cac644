import { randomUUID } from 'node:crypto'
import { assemble, isFinished, nameRequired, nextGeneration } from './assemble.ts'
import type { RingEntry } from './event-ring.ts'
import { Journal } from './journal.ts'
import { jsonEqual, objectJson } from './json.ts'
import { KindSpace } from './kind-space.ts'
import { hasGeneration, kinds } from './kinds.ts'
import { generatedName } from './names.ts'
import { alreadyExists, notFound } from './refusals.ts'
import type { Key, NewObject, ObjectStore, StoredObject, StoreEvent } from './types.ts'

export type StoreOptions = {
  /** The file that keeps the objects over restarts; in memory only when absent. */
  readonly journal?: string | undefined
  /** How many events of each kind are kept for watches that resume. Default 10,000. */
  readonly eventRing?: number | undefined
  readonly now?: (() => Date) | undefined
  readonly random?: (() => number) | undefined
  readonly newUid?: (() => string) | undefined
}

/** The object store in memory, with the history that watches and paged lists need, and a journal behind it. */
export class MemoryStore implements ObjectStore {
  readonly #spaces: ReadonlyMap<string, KindSpace>
  readonly #dependents = new Map<string, Map<string, { readonly space: KindSpace; readonly key: string }>>()
  readonly #now: () => Date
  readonly #random: () => number
  readonly #newUid: () => string
  #journal: Journal | undefined
  #revision = 0
  /** Objects up to here came from the journal's snapshot; they are no events. */
  #snapshotRevision = 0
  #notifying = false

  constructor(options: StoreOptions = {}) {
    this.#now = options.now ?? (() => new Date())
    this.#random = options.random ?? Math.random
    this.#newUid = options.newUid ?? randomUUID
    this.#spaces = new Map(kinds.map((kind) => [kind.plural, new KindSpace(kind, options.eventRing ?? 10_000)]))
    if (options.journal !== undefined) {
      const journal = new Journal(options.journal)
      for (const record of journal.read()) this.#restore(record as JournalRecord)
      journal.start(() => this.#snapshot())
      this.#journal = journal
    }
  }

  get revision(): number {
    return this.#revision
  }

  get(plural: string, key: Key): StoredObject | undefined {
    const space = this.#space(plural)
    return space.get(space.keyOf(key))
  }

  list(plural: string, namespace?: string): StoredObject[] {
    return this.#space(plural).list(namespace)
  }

  /**
   * The objects as of `revision`, in key order, from key `from` (`namespace/name`, or the name) on. 'expired' when the
   * history does not reach back that far.
   */
  listAt(plural: string, revision: number, namespace: string | undefined, from = ''): StoredObject[] | 'expired' {
    return this.#space(plural).listAt(revision, namespace, from) ?? 'expired'
  }

  count(plural: string): number {
    return this.#space(plural).size
  }

  /** Events of a kind after `revision`, oldest first; 'expired' when some of them are gone. */
  eventsSince(plural: string, revision: number): readonly RingEntry[] | 'expired' {
    return this.#space(plural).ring.since(revision) ?? 'expired'
  }

  /** The revision below which a kind's history is gone. */
  compactedRevision(plural: string): number {
    return this.#space(plural).ring.compacted
  }

  /** Forgets the history up to `revision` (all of it when absent), of one kind or of all. */
  compact(revision = this.#revision, plural?: string): void {
    for (const space of this.#spaces.values()) {
      if (plural === undefined || space.kind.plural === plural) space.ring.compact(revision)
    }
  }

  *dependentsOf(ownerUid: string): Generator<{ readonly plural: string; readonly object: StoredObject }> {
    for (const { space, key } of [...(this.#dependents.get(ownerUid)?.values() ?? [])]) {
      const object = space.get(key)
      if (object !== undefined) yield { plural: space.kind.plural, object }
    }
  }

  create(plural: string, object: NewObject): StoredObject {
    this.#mustNotNotify()
    const space = this.#space(plural)
    const { generateName } = object.metadata as { readonly generateName?: string }
    let name = object.metadata.name ?? ''
    if (name === '' && generateName !== undefined && generateName !== '') {
      do name = generatedName(generateName, this.#random)
      while (space.get(space.keyOf({ namespace: object.metadata.namespace, name })) !== undefined)
    }
    if (name === '') throw nameRequired(space.kind)
    const key = space.keyOf({ namespace: object.metadata.namespace, name })
    if (space.get(key) !== undefined) throw alreadyExists(space.kind, name)
    const stored = assemble(space.kind, object, {
      name,
      namespace: object.metadata.namespace,
      uid: this.#newUid(),
      resourceVersion: String(this.#revision + 1),
      generation: hasGeneration(plural) ? 1 : undefined,
      creationTimestamp: this.#timestamp(),
    })
    return this.#commit(space, key, 'ADDED', stored, undefined)
  }

  update(plural: string, key: Key, change: (current: StoredObject) => NewObject | undefined): StoredObject {
    this.#mustNotNotify()
    const space = this.#space(plural)
    const at = space.keyOf(key)
    const before = space.get(at)
    if (before === undefined) throw notFound(space.kind, key.name)
    const wanted = change(before)
    if (wanted === undefined || wanted === before) return before
    const after = assemble(space.kind, wanted, {
      name: before.metadata.name,
      namespace: before.metadata.namespace,
      uid: before.metadata.uid,
      resourceVersion: before.metadata.resourceVersion,
      generation: before.metadata.generation,
      creationTimestamp: before.metadata.creationTimestamp,
    })
    if (isFinished(after)) {
      if (before.metadata.deletionGracePeriodSeconds === after.metadata.deletionGracePeriodSeconds) {
        // As on etcd: what watchers get last is the object as it was last stored, with the finalizer that went.
        this.#commit(space, at, 'DELETED', this.#withRevision(before), before)
        return after
      }
      const last = this.#commit(space, at, 'MODIFIED', this.#withRevision(after, nextGeneration(before, after)), before)
      return this.#commit(space, at, 'DELETED', this.#withRevision(last), last)
    }
    if (jsonEqual(before, after)) return before
    return this.#commit(space, at, 'MODIFIED', this.#withRevision(after, nextGeneration(before, after)), before)
  }

  remove(plural: string, key: Key): StoredObject | undefined {
    this.#mustNotNotify()
    const space = this.#space(plural)
    const at = space.keyOf(key)
    const before = space.get(at)
    if (before === undefined) return undefined
    return this.#commit(space, at, 'DELETED', this.#withRevision(before), before)
  }

  subscribe(plural: string, listener: (event: StoreEvent) => void): () => void {
    const { listeners } = this.#space(plural)
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  /** Hands every write so far to the operating system. Call before anything that was written leaves the process. */
  flush(): void {
    this.#journal?.flush()
  }

  close(): void {
    this.#journal?.close()
    this.#journal = undefined
  }

  #space(plural: string): KindSpace {
    const space = this.#spaces.get(plural)
    if (space === undefined) throw new Error(`the simulator serves no ${plural}`)
    return space
  }

  #mustNotNotify(): void {
    if (this.#notifying) throw new Error('a listener of the store wrote to it; it must queue its work instead')
  }

  #timestamp(): string {
    return this.#now()
      .toISOString()
      .replace(/\.\d{3}Z$/, 'Z')
  }

  #withRevision(object: StoredObject, generation?: number): StoredObject {
    const resourceVersion = String(this.#revision + 1)
    return {
      ...object,
      metadata: { ...object.metadata, resourceVersion, ...(generation === undefined ? {} : { generation }) },
    }
  }

  #commit(
    space: KindSpace,
    key: string,
    type: StoreEvent['type'],
    object: StoredObject,
    before: StoredObject | undefined,
  ): StoredObject {
    const event = this.#apply(space, key, type, object, before)
    this.#journal?.append(
      type === 'DELETED'
        ? JSON.stringify({ delete: space.kind.plural, key, revision: this.#revision })
        : putLine(space, object),
    )
    this.#notifying = true
    try {
      for (const listener of space.listeners) listener(event)
    } finally {
      this.#notifying = false
    }
    return object
  }

  #apply(
    space: KindSpace,
    key: string,
    type: StoreEvent['type'],
    object: StoredObject,
    before: StoredObject | undefined,
  ): StoreEvent {
    this.#revision = Number(object.metadata.resourceVersion)
    space.set(key, type === 'DELETED' ? undefined : object)
    const owners = object.metadata.ownerReferences
    if (type === 'DELETED' || owners !== before?.metadata.ownerReferences) {
      for (const owner of before?.metadata.ownerReferences ?? []) this.#unlink(owner.uid, space, key)
      if (type !== 'DELETED') for (const owner of owners ?? []) this.#link(owner.uid, space, key)
    }
    const event: StoreEvent = { type, plural: space.kind.plural, object, ...(before === undefined ? {} : { before }) }
    if (this.#revision > this.#snapshotRevision) space.ring.push({ revision: this.#revision, key, event })
    return event
  }

  #link(ownerUid: string, space: KindSpace, key: string): void {
    let dependents = this.#dependents.get(ownerUid)
    if (dependents === undefined) {
      dependents = new Map()
      this.#dependents.set(ownerUid, dependents)
    }
    dependents.set(`${space.kind.plural}/${key}`, { space, key })
  }

  #unlink(ownerUid: string, space: KindSpace, key: string): void {
    const dependents = this.#dependents.get(ownerUid)
    dependents?.delete(`${space.kind.plural}/${key}`)
    if (dependents?.size === 0) this.#dependents.delete(ownerUid)
  }

  #restore(record: JournalRecord): void {
    if ('journal' in record) {
      this.#revision = record.revision
      this.#snapshotRevision = record.revision
      for (const [plural, floor] of Object.entries(record.floors)) this.#spaces.get(plural)?.ring.compact(floor)
      return
    }
    if ('delete' in record) {
      const space = this.#space(record.delete)
      const before = space.get(record.key)
      if (before === undefined) return
      this.#revision = record.revision - 1
      this.#apply(space, record.key, 'DELETED', this.#withRevision(before), before)
      return
    }
    const space = this.#space(record.put)
    const { object } = record
    const key = space.keyOf({ namespace: object.metadata.namespace, name: object.metadata.name })
    const before = space.get(key)
    const revision = this.#revision
    this.#apply(space, key, before === undefined ? 'ADDED' : 'MODIFIED', object, before)
    this.#revision = Math.max(this.#revision, revision)
  }

  *#snapshot(): Generator<string> {
    const floors: Record<string, number> = {}
    for (const space of this.#spaces.values()) {
      const newest = space.list().reduce((max, { metadata }) => Math.max(max, Number(metadata.resourceVersion)), 0)
      floors[space.kind.plural] = Math.max(newest, space.ring.compacted, newestOf(space))
    }
    yield JSON.stringify({ journal: 1, revision: this.#revision, floors })
    for (const space of this.#spaces.values()) {
      for (const object of space.list()) yield putLine(space, object)
    }
  }
}

type JournalRecord =
  | { readonly journal: 1; readonly revision: number; readonly floors: Readonly<Record<string, number>> }
  | { readonly put: string; readonly object: StoredObject }
  | { readonly delete: string; readonly key: string; readonly revision: number }

function newestOf(space: KindSpace): number {
  return space.ring.since(space.ring.compacted)?.at(-1)?.revision ?? 0
}

function putLine(space: KindSpace, object: StoredObject): string {
  return `{"put":${JSON.stringify(space.kind.plural)},"object":${objectJson(object)}}`
}
