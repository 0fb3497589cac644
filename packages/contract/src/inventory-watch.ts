import Type, { type Static } from 'typebox'
import { Nullable, SafeInteger } from './named.ts'

/** What resource_watch is asked (container API reference 6.1). The words are checked by the use case. */
export const WatchBody = Type.Object({
  bk_resource: Type.Optional(
    Nullable(Type.String({ description: 'through ESB: the resource; elsewhere the path says it' })),
  ),
  bk_event_types: Type.Optional(
    Nullable(Type.Array(Type.String(), { description: 'create, update, delete; empty: all' })),
  ),
  bk_fields: Type.Optional(
    Nullable(
      Type.Array(Type.String(), { description: 'members of the detail; required for host, biz, set and module' }),
    ),
  ),
  bk_start_from: Type.Optional(
    Nullable(SafeInteger({ description: 'Unix seconds: events later than this; not together with bk_cursor' })),
  ),
  bk_cursor: Type.Optional(
    Nullable(Type.String({ description: 'the last cursor seen: waits up to 20 s for what follows' })),
  ),
  bk_filter: Type.Optional(
    Nullable(
      Type.Object({
        bk_sub_resource: Type.Optional(Nullable(Type.String({ description: 'kube_workload only: a kind' }))),
      }),
    ),
  ),
})
export type WatchBody = Static<typeof WatchBody>

/** One event, or where to go on when there is none (container API reference 6.3). */
export const WatchedEvent = Type.Object({
  bk_cursor: Type.String(),
  bk_resource: Type.String(),
  bk_event_type: Type.String({ description: "create, update or delete; '' without an event" }),
  bk_detail: Nullable(
    Type.Record(Type.String(), Type.Unknown(), {
      description: 'the row; a pod with its containers; null without an event',
    }),
  ),
})
export type WatchedEvent = Static<typeof WatchedEvent>

export const WatchData = Type.Object({
  bk_watched: Type.Boolean(),
  bk_events: Type.Array(WatchedEvent, { description: 'never empty: take the last cursor for the next call' }),
})
export type WatchData = Static<typeof WatchData>
