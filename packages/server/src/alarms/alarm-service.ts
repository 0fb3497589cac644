import type { AlarmList } from '@podyard/contract'
import type { Database } from '../store/database.ts'
import { listAlarmRows } from './alarm-store.ts'
import { toAlarmView } from './alarm-view.ts'

export type AlarmService = {
  /** A page of alarms, newest first. Absent members of the filter are none. */
  list(
    filter: { readonly pool?: string | undefined; readonly state?: 'open' | 'cleared' | undefined },
    page: { readonly before?: number | undefined; readonly limit: number },
  ): Promise<AlarmList>
}

export function createAlarmService(db: Database): AlarmService {
  return {
    async list({ pool, state }, { before = Number.MAX_SAFE_INTEGER, limit }) {
      // The database holds no NUL.
      if (pool?.includes('\0') === true) return { alarms: [], next_before: null }
      const isOpen = state === undefined ? undefined : state === 'open'
      const found = await listAlarmRows(db, { pool, isOpen }, { before, limit: limit + 1 })
      const rows = found.slice(0, limit)
      return {
        alarms: rows.map(toAlarmView),
        next_before: found.length > limit ? (rows.at(-1)?.id ?? null) : null,
      }
    },
  }
}
