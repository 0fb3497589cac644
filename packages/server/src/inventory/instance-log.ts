import type { Queryable, Statement } from '../store/database.ts'

/** One row of the event log about a business, a set of them or a host: the whole row on the wire's names. */
export type InstanceEvent = {
  readonly resource: 'biz' | 'biz_set' | 'host'
  readonly type: 'create' | 'update' | 'delete'
  readonly object_id: number
  readonly biz_id: number
  readonly tenant: string
  readonly detail: object
}

const insertEvents: Statement = {
  name: 'instance-log',
  text: `insert into event (resource, type, object_id, biz_id, tenant, detail)
    select resource, type, object_id, biz_id, tenant, detail from json_to_recordset($1)
      as i(ord int, resource text, type text, object_id bigint, biz_id bigint, tenant text, detail jsonb)
    order by ord`,
}

/** Writes the transaction's events in their order: call it last. */
export async function insertInstanceEvents(tx: Queryable, events: readonly InstanceEvent[]): Promise<void> {
  if (events.length === 0) return
  await tx.run(insertEvents, [JSON.stringify(events.map((event, ord) => ({ ord, ...event })))])
}
