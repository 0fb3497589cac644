import type { ObjectStore, StoredObject } from '../store/types.ts'

/** Beyond this many, the oldest event goes: events are for people who look now. */
const MOST_EVENTS = 2000

export type EventSource = 'deployment-controller' | 'replicaset-controller' | 'default-scheduler' | 'kubelet' | string

export type EventText = {
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
  readonly source: EventSource
  readonly host?: string
}

type Recorded = { readonly namespace: string; readonly name: string; count: number }

/** Writes Event objects; the same event again raises its count. Normal ones only when wanted: they cost a write each. */
export class EventRecorder {
  readonly #store: ObjectStore
  readonly #now: () => Date
  readonly #recordNormal: boolean
  readonly #recorded = new Map<string, Recorded>()
  #serial = 0

  constructor(store: ObjectStore, now: () => Date, recordNormal: boolean) {
    this.#store = store
    this.#now = now
    this.#recordNormal = recordNormal
  }

  record(object: StoredObject, text: EventText): void {
    if (text.type === 'Normal' && !this.#recordNormal) return
    const key = JSON.stringify([object.metadata.uid, text.type, text.reason, text.message, text.source])
    const time = `${this.#now().toISOString().slice(0, 19)}Z`
    const known = this.#recorded.get(key)
    if (known !== undefined && this.#store.get('events', known) !== undefined) {
      known.count++
      this.#store.update('events', known, (event) => ({ ...event, count: known.count, lastTimestamp: time }))
      return
    }
    this.#recorded.set(key, this.#write(object, text, time))
    for (const [oldest, event] of this.#recorded) {
      if (this.#recorded.size <= MOST_EVENTS) break
      this.#recorded.delete(oldest)
      this.#store.remove('events', event)
    }
  }

  #write(object: StoredObject, text: EventText, time: string): Recorded {
    const { name, uid, resourceVersion } = object.metadata
    const namespace = object.metadata.namespace || 'default'
    const serial = (BigInt(this.#now().getTime()) * 1_000_000n + BigInt(this.#serial++ % 1_000_000)).toString(16)
    const eventName = `${name}.${serial}`
    this.#store.create('events', {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: eventName, namespace },
      involvedObject: {
        kind: object.kind,
        ...(object.metadata.namespace ? { namespace: object.metadata.namespace } : {}),
        name,
        uid,
        apiVersion: object.apiVersion,
        resourceVersion,
      },
      reason: text.reason,
      message: text.message,
      source: { component: text.source, ...(text.host === undefined ? {} : { host: text.host }) },
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
      type: text.type,
      eventTime: null,
      reportingComponent: text.source,
      reportingInstance: text.host ?? '',
    })
    return { namespace, name: eventName, count: 1 }
  }
}
