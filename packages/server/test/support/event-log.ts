import { afterAll, beforeAll } from 'vitest'
import { createEventLog, type EventLog } from '../../src/events/event-log.ts'
import type { Database, Queryable } from '../../src/store/database.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts'

/** A log that is read, as one process has it; `stop` ends it. */
export function startEventLog(db: Database, origin = 'test') {
  const metrics: Metrics = createMetrics()
  const logged: string[] = []
  const logger = createLogger({ level: 'warn', destination: { write: (line: string) => void logged.push(line) } })
  const log: EventLog = createEventLog({ db, origin, logger, metrics })
  const stopping = new AbortController()
  const running = log.run(stopping.signal)
  return {
    log,
    metrics,
    logged,
    async stop() {
      stopping.abort(new Error('the test is over'))
      await running
    },
  }
}

/** One log for a whole test file, on its database. */
export function useEventLog(t: { readonly db: Database }) {
  const state = { log: undefined as unknown as EventLog }
  let started: ReturnType<typeof startEventLog> | undefined
  beforeAll(() => {
    started = startEventLog(t.db)
    state.log = started.log
  })
  afterAll(() => started?.stop())
  return state
}

/** Inserts events as a writer does; returns their numbers. */
export async function insertEvents(
  db: Queryable,
  count: number,
  { resource = 'kube_node', objectId = 1, detail = {} }: { resource?: string; objectId?: number; detail?: object } = {},
): Promise<number[]> {
  const rows = await db.query<{ seq: number }>(
    `insert into event (resource, type, object_id, detail)
      select $2, 'update', $3, $4 from generate_series(1, $1::int) returning seq`,
    [count, resource, objectId, JSON.stringify(detail)],
  )
  return rows.map(({ seq }) => seq)
}
