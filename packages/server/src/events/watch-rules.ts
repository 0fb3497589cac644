import type { WatchBody } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { EventType } from './event.ts'
import { isWatchResource, type WatchResource } from './watch-cursor.ts'

/** What a watch asks for, checked. */
export type Watch = {
  readonly resource: WatchResource
  readonly subResource: string | undefined
  readonly types: readonly EventType[] | undefined
  /** Members of the detail; undefined: all. */
  readonly fields: readonly string[] | undefined
  readonly from:
    | { readonly kind: 'now' }
    | { readonly kind: 'time'; readonly seconds: number }
    | { readonly kind: 'cursor'; readonly cursor: string }
}

const eventTypes: readonly string[] = ['create', 'update', 'delete'] satisfies readonly EventType[]
const withFields: readonly string[] = ['host', 'biz', 'set', 'module'] satisfies readonly WatchResource[]

/** The request in the order of container API reference 6.1; `resource` is the path's, else the body's. */
export function parseWatch(resource: string, body: WatchBody): Watch {
  if (!isWatchResource(resource)) throw cmdbErrors.mismatch('bk_resource')
  const types = body.bk_event_types ?? []
  if (types.some((type) => !eventTypes.includes(type))) throw cmdbErrors.untyped('unsupported event type')
  const fields = body.bk_fields ?? []
  if (fields.length === 0 && withFields.includes(resource))
    throw cmdbErrors.untyped(`${resource} event must have fields`)
  const seconds = body.bk_start_from ?? 0
  const cursor = body.bk_cursor ?? ''
  if (seconds !== 0 && cursor !== '')
    throw cmdbErrors.untyped('bk_start_from and bk_cursor can not use at the same time')
  const subResource = body.bk_filter?.bk_sub_resource ?? ''
  if (subResource !== '' && resource !== 'kube_workload')
    throw cmdbErrors.untyped(`${resource} event cannot have sub resource`)
  return {
    resource,
    subResource: subResource === '' ? undefined : subResource,
    types: types.length === 0 ? undefined : (types as EventType[]),
    fields: fields.length === 0 ? undefined : fields,
    from: cursor !== '' ? { kind: 'cursor', cursor } : seconds !== 0 ? { kind: 'time', seconds } : { kind: 'now' },
  }
}
