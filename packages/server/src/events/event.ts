/** What can happen to a row. */
export type EventType = 'create' | 'update' | 'delete'

/** One row of the event log. */
export type LoggedEvent = {
  /** Its place in the one order of all events; greater is later. */
  readonly seq: number
  /** When its transaction began. Nearly, but not strictly, in the order of `seq`. */
  readonly at: Date
  /** `kube_pod`, `host`, `pool`, `instance`, ... */
  readonly resource: string
  /** The workload's kind under `kube_workload`; '' elsewhere. */
  readonly subResource: string
  readonly type: EventType
  readonly objectId: number
  readonly bizId: number
  readonly tenant: string
  /** The row after the change, for `delete` before it, as JSON text on the wire's names. */
  readonly detail: string
}

/** Which events are asked for; what is left out is not looked at. */
export type EventFilter = {
  readonly resources: readonly string[]
  readonly subResource?: string
  readonly types?: readonly EventType[]
  /** null: every tenant's. */
  readonly tenants?: readonly string[] | null
}

export function matches(filter: EventFilter, event: LoggedEvent): boolean {
  return (
    filter.resources.includes(event.resource) &&
    (filter.subResource === undefined || filter.subResource === event.subResource) &&
    (filter.types === undefined || filter.types.includes(event.type)) &&
    (filter.tenants === undefined || filter.tenants === null || filter.tenants.includes(event.tenant))
  )
}
