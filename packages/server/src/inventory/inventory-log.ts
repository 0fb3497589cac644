import type { Queryable, Statement } from '../store/database.ts'
import type { KubeObject } from './fields.ts'
import { podView, type Row, viewOf } from './views.ts'

/** One row of the event log, as resource_watch will tell it: the whole row on the wire's names. */
export type InventoryEvent = {
  readonly resource: 'kube_cluster' | 'kube_node' | 'kube_namespace' | 'kube_workload' | 'kube_pod'
  /** The workload's kind; '' elsewhere. */
  readonly sub_resource: string
  readonly type: 'create' | 'update' | 'delete'
  readonly object_id: number
  readonly biz_id: number
  readonly tenant: string
  readonly detail: object
}

const objectOf: Readonly<Record<InventoryEvent['resource'], KubeObject>> = {
  kube_cluster: 'cluster',
  kube_node: 'node',
  kube_namespace: 'namespace',
  kube_workload: 'workload',
  kube_pod: 'pod',
}

/** From a whole row; a pod's has its containers' rows as `containers`, which travel inside its event. */
export function toInventoryEvent(
  resource: InventoryEvent['resource'],
  type: InventoryEvent['type'],
  row: Row,
): InventoryEvent {
  return {
    resource,
    sub_resource: resource === 'kube_workload' ? String(row.kind) : '',
    type,
    object_id: Number(row.id),
    biz_id: Number(row.bk_biz_id),
    tenant: String(row.bk_supplier_account),
    detail: row.containers === undefined ? viewOf(objectOf[resource], row) : podView(row),
  }
}

const insertEvents: Statement = {
  name: 'inventory-log',
  text: `insert into event (resource, sub_resource, type, object_id, biz_id, tenant, detail)
    select resource, sub_resource, type, object_id, biz_id, tenant, detail from json_to_recordset($1)
      as i(ord int, resource text, sub_resource text, type text, object_id bigint, biz_id bigint, tenant text, detail jsonb)
    order by ord`,
}

/** Writes the transaction's events in their order: call it last. */
export async function insertInventoryEvents(tx: Queryable, events: readonly InventoryEvent[]): Promise<void> {
  if (events.length === 0) return
  await tx.run(insertEvents, [JSON.stringify(events.map((event, ord) => ({ ord, ...event })))])
}
