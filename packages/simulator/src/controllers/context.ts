import type { ObjectStore, StoredObject, StoreEvent } from '../store/types.ts'
import { EventRecorder } from './event-recorder.ts'
import { WorkQueue } from './queue.ts'

/** What every controller works with, and how all of them stop together. */
export class ControllerContext {
  readonly store: ObjectStore
  readonly now: () => Date
  readonly log: (line: string) => void
  readonly events: EventRecorder
  readonly #stops: (() => void)[] = []

  constructor(store: ObjectStore, now: () => Date, log: (line: string) => void, recordNormal: boolean) {
    this.store = store
    this.now = now
    this.log = log
    this.events = new EventRecorder(store, now, recordNormal)
  }

  queue(name: string, sync: (key: string) => void): WorkQueue {
    const queue = new WorkQueue({ name, sync, log: this.log })
    this.#stops.push(() => queue.stop())
    return queue
  }

  /** The listener must only note what happened and queue keys. */
  watch(plural: string, listener: (event: StoreEvent) => void): void {
    this.#stops.push(this.store.subscribe(plural, listener))
  }

  /** Tells of the objects that are there already as if they were added now, then of every change. */
  follow(plural: string, listener: (event: StoreEvent) => void): void {
    for (const object of this.store.list(plural)) listener({ type: 'ADDED', plural, object })
    this.watch(plural, listener)
  }

  /** The time as objects carry it: whole seconds. */
  timestamp(): string {
    return timestampOf(this.now())
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop()
  }
}

export function timestampOf(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`
}

/** `namespace/name`, or the name alone for cluster-scoped objects. */
export function keyOf(object: StoredObject): string {
  const { namespace, name } = object.metadata
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`
}

export function parseKey(key: string): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf('/')
  return { namespace: slash < 0 ? '' : key.slice(0, slash), name: key.slice(slash + 1) }
}
