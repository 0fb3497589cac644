import { afterAll, beforeAll } from 'vitest'
import { createAccess } from '../../src/access/access.ts'
import { registerAlarmRoutes } from '../../src/alarms/alarm-routes.ts'
import { createAlarmService } from '../../src/alarms/alarm-service.ts'
import { createEventLog } from '../../src/events/event-log.ts'
import { watchOperations } from '../../src/events/watch-operations.ts'
import { registerCmdbDialect } from '../../src/http/cmdb-dialect.ts'
import { type App, buildServer } from '../../src/http/server.ts'
import { registerServerless } from '../../src/http/serverless-dialect.ts'
import { addInstanceRoutes } from '../../src/instances/instance-routes.ts'
import { createInstanceService, type InstanceService } from '../../src/instances/instance-service.ts'
import { createPodCloser } from '../../src/instances/pod-holds.ts'
import { businessOperations } from '../../src/inventory/business-operations.ts'
import { hostOperations } from '../../src/inventory/host-operations.ts'
import { kubeOperations } from '../../src/inventory/kube-operations.ts'
import { listOperations } from '../../src/inventory/list-operations.ts'
import { createPoolChanges } from '../../src/pools/pool-changes.ts'
import { addPoolRoutes, registerPoolEventRoute } from '../../src/pools/pool-routes.ts'
import { createPoolService } from '../../src/pools/pool-service.ts'
import { registerScalingRoutes } from '../../src/scaling/scaling-routes.ts'
import { createScalingService } from '../../src/scaling/scaling-service.ts'
import type { Database } from '../../src/store/database.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { useDatabase } from './database.ts'
import { emptyInventory, newPod } from './kube-rows.ts'
import { resources } from './pools-api.ts'

export const host = '127.0.0.1:8080'

/** An answer of whichever dialect. `json` is undefined where the body is no JSON. */
export type AppAnswer = {
  readonly status: number
  readonly type: string
  readonly headers: Readonly<Record<string, string | number | string[] | undefined>>
  readonly body: string
  readonly json: unknown
}

export type AppCall = {
  readonly method: string
  readonly url: string
  /** Text and bytes go as they are, a stream goes in chunks, anything else as JSON. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * Everything that the program serves over HTTP, on a database of the test file's own: what `startApp` registers, without
 * a cluster and without controllers, so pools stay where the API puts them. Open access, English.
 */
export function useApp() {
  const t = useDatabase()
  const state = {
    app: undefined as unknown as App,
    instances: undefined as unknown as InstanceService,
    /** Lines of level `warn` and above since the start, or since somebody emptied it. */
    logged: [] as string[],
    get db(): Database {
      return t.db
    },
    name: t.name,
    send,
    fingerprint: () => fingerprint(t.db),
    reset,
  }

  /**
   * Empties the tables, then makes one row of each kind with the id 1 (business, host, cluster, namespace, node,
   * deployment, pod, container) and the pool `pool`, running.
   */
  async function reset(): Promise<void> {
    await emptyInventory(t.db)
    await t.db.query('truncate pool, pool_event, waiter, line, request')
    for (const [url, body] of firstRows) {
      const { status, body: answer, json } = await send({ method: 'POST', url, body })
      if (status !== 200 || (json as { code?: unknown }).code !== 0) throw new Error(`${url}: ${status} ${answer}`)
    }
    await t.db.query('update pool set status = 4, version = version + 1, valid_from = now()')
  }

  async function send({ method, url, body, headers }: AppCall): Promise<AppAnswer> {
    const isRaw = typeof body === 'string' || body instanceof Uint8Array || isStream(body)
    const answer = await state.app.inject({
      method: method as 'GET',
      url,
      headers: { host, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { payload: (isRaw ? body : JSON.stringify(body)) as string }),
    })
    return {
      status: answer.statusCode,
      type: String(answer.headers['content-type'] ?? ''),
      headers: answer.headers,
      body: answer.body,
      json: parsed(answer.body),
    }
  }

  const stopping = new AbortController()
  let reading: Promise<void> | undefined
  beforeAll(async () => {
    const access = createAccess({ kind: 'open' })
    const { db } = t
    const logger = createLogger({
      level: 'warn',
      destination: { write: (line: string) => void state.logged.push(line) },
    })
    const events = createEventLog({ db, origin: 'test', logger, metrics: createMetrics() })
    reading = events.run(stopping.signal)
    const instances = createInstanceService({ db, settings: { longestWaitMs: 20 } })
    state.instances = instances
    state.app = await buildServer({
      version: '0.0.0',
      logger,
      metrics: createMetrics(),
      access,
      notReadyBecause: async () => undefined,
      routes: async (server) => {
        const pools = createPoolService(db, createPoolChanges(db, 'test'), createPodCloser(db))
        await registerServerless(server, {
          access,
          routes: (scope) => {
            addPoolRoutes(scope, pools)
            // Whatever is followed ends at once, as what is watched below does.
            addInstanceRoutes(scope, { service: instances, events: { ...events, follow: async function* () {} } })
          },
        })
        await registerPoolEventRoute(server, { service: pools, access })
        await registerScalingRoutes(server, { service: createScalingService(db, pools), access })
        await registerAlarmRoutes(server, { service: createAlarmService(db), access })
        await registerCmdbDialect(server, {
          access,
          language: 'en',
          operations: [
            ...businessOperations(db),
            ...hostOperations(db),
            ...kubeOperations({ db, now: Date.now }),
            ...listOperations(db),
            // Whatever is watched, the answer comes at once.
            ...watchOperations({ log: events, now: Date.now, retentionDays: 7, waitMs: 10, refusalMs: 0 }),
          ],
        })
      },
    })
    await state.app.ready()
  })
  afterAll(async () => {
    stopping.abort()
    await state.app?.close()
    await state.instances?.stop()
    await reading
  })
  return state
}

const inventory = '/api/v3'
const firstRows: readonly (readonly [url: string, body: object])[] = [
  [`${inventory}/biz/0`, { bk_biz_name: 'demo', bk_biz_maintainer: 'ann' }],
  [
    `${inventory}/hosts/add`,
    { bk_biz_id: 1, host_info: { '0': { bk_host_innerip: '10.0.0.1', bk_agent_id: 'agent1' } } },
  ],
  [
    `${inventory}/create/kube/cluster`,
    { bk_biz_id: 1, name: 'cluster', uid: 'cluster-uid', type: 'INDEPENDENT_CLUSTER' },
  ],
  [`${inventory}/createmany/kube/namespace`, { bk_biz_id: 1, data: [{ bk_cluster_id: 1, name: 'default' }] }],
  [
    `${inventory}/createmany/kube/node`,
    { bk_biz_id: 1, data: [{ bk_cluster_id: 1, bk_host_id: 1, name: 'node', internal_ip: ['10.0.0.1'] }] },
  ],
  [`${inventory}/createmany/kube/workload/deployment`, { bk_biz_id: 1, data: [{ bk_namespace_id: 1, name: 'web' }] }],
  [`${inventory}/createmany/kube/pod`, { data: [{ bk_biz_id: 1, pods: [newPod('pod')] }] }],
  ['/serverless/v1/podpools', { pools: [{ id: 'pool', group: 'group', size: 1, max_size: 3, resources }] }],
]

const isStream = (body: unknown) =>
  typeof body === 'object' && body !== null && typeof (body as { pipe?: unknown }).pipe === 'function'

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** How many rows every table has, and a sum over what is in them: what a refused request must leave as it was. */
export async function fingerprint(db: Database): Promise<Readonly<Record<string, string>>> {
  const [row] = await db.query<Record<string, string>>(await fingerprintSql(db))
  return row ?? {}
}

let fingerprintText: string | undefined
/** The tables come from the catalog, so that a table made tomorrow is looked at, too. */
async function fingerprintSql(db: Database): Promise<string> {
  if (fingerprintText !== undefined) return fingerprintText
  const tables = await db.query<{ name: string }>(
    `select c.relname as name from pg_class c
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
       -- a process's heartbeat
       and c.relname <> 'replica' order by 1`,
  )
  fingerprintText = `select ${tables
    .map(
      ({ name }) =>
        `(select count(*) || ' ' || coalesce(sum(hashtextextended(r::text, 0)), 0) from ${name} r) as ${name}`,
    )
    .join(', ')}`
  return fingerprintText
}
