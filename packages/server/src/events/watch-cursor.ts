import type { EventType } from './event.ts'

/**
 * Cursors of resource_watch. Clients take them as opaque; the form is the original's (container API reference 6.3), for
 * those that look into it: base64 of version, number of the resource, object id, operation, seconds, nanoseconds and a
 * key, separated by carriage returns. The object id, 24 hexadecimal digits, is the event's number.
 */

/** Resources that can be watched, with their numbers in cursors. Nothing feeds relations, sets, modules and projects. */
export const watchResources = {
  host: 2,
  host_relation: 3,
  biz: 4,
  set: 5,
  module: 6,
  kube_cluster: 17,
  kube_node: 18,
  kube_namespace: 19,
  kube_workload: 20,
  kube_pod: 21,
  project: 22,
} as const
export type WatchResource = keyof typeof watchResources

export const isWatchResource = (word: string): word is WatchResource => Object.hasOwn(watchResources, word)

const operations = { create: 'insert', update: 'update', delete: 'delete' } as const
const noEventId = '5ea6d3f394c1f5d986e9bd86'

const encode = (parts: readonly (string | number)[]) => Buffer.from(parts.join('\r')).toString('base64')

/** Given while nothing has happened; given back, it means the oldest event that is kept. */
export const noEventCursor = encode([1, 1, noEventId, 'noEvent', 1, 1, ''])

/** The cursor of an event; or of a place in the log, where nothing later has been looked at. */
export function encodeCursor(
  resource: WatchResource,
  place: { readonly seq: number; readonly type: EventType; readonly at: Date; readonly key: string },
): string {
  const ms = place.at.getTime()
  return encode([
    1,
    watchResources[resource],
    place.seq.toString(16).padStart(24, '0'),
    operations[place.type],
    Math.floor(ms / 1000),
    (ms % 1000) * 1_000_000,
    place.key,
  ])
}

/** The number to read on from; 0 for the no-event cursor; undefined when it is no cursor of this resource. */
export function decodeCursor(resource: WatchResource, cursor: string): number | undefined {
  if (cursor.length > 4096 || cursor.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(cursor)) return undefined
  const [version, number, id, operation, seconds, nanos] = Buffer.from(cursor, 'base64').toString().split('\r')
  if (version !== '1' || id === undefined || operation === undefined) return undefined
  if (!/^\d+$/.test(seconds ?? '') || !/^\d+$/.test(nanos ?? '')) return undefined
  if (number === '1') return id === noEventId ? 0 : undefined
  if (number !== String(watchResources[resource]) || !/^[0-9a-f]{24}$/.test(id)) return undefined
  const seq = Number.parseInt(id, 16)
  return Number.isSafeInteger(seq) && seq > 0 ? seq : undefined
}
