import type { AlarmView } from '@podyard/contract'

/** A row of the table `alarm`. */
export type AlarmRow = {
  id: number
  kind: 'pending' | 'failed'
  pool_uid: string
  pool_name: string
  pod_uid: string
  pod_name: string
  namespace: string
  cause: string
  since: Date
  raised_at: Date
  cleared_at: Date | null
  cleared_because: string
}

/** An alarm as the API, the event log and the webhook show it. */
export function toAlarmView(row: AlarmRow): AlarmView {
  return {
    id: row.id,
    kind: row.kind,
    state: row.cleared_at === null ? 'open' : 'cleared',
    pool: row.pool_name,
    pool_uid: row.pool_uid,
    pod: { name: row.pod_name, namespace: row.namespace, uid: row.pod_uid },
    cause: row.cause,
    since: row.since.toISOString(),
    raised_at: row.raised_at.toISOString(),
    cleared_at: row.cleared_at?.toISOString() ?? null,
    cleared_because: row.cleared_because,
  }
}
