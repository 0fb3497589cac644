import { setTimeout as delay } from 'node:timers/promises'
import type { Database } from '../../src/store/database.ts'

/** The tables at one moment. */
export type TableView = {
  /** Database time in milliseconds: not later than what is seen here, */
  readonly at: number
  /** and not earlier. */
  readonly until: number
  /** Pods that can be had, alone or shared, by uid: their pools. */
  readonly offered: ReadonlyMap<string, number>
  /** The same, by pool. */
  readonly offers: ReadonlyMap<number, readonly string[]>
  /** Those of them that are shared, or were: nobody gets them for himself any more. */
  readonly shared: ReadonlySet<string>
  readonly pools: ReadonlySet<number>
  /** By pool: rows that are gone when nobody holds anything, nobody waits, and nothing is to be deleted. */
  readonly left: ReadonlyMap<number, Left>
}

export type Left = { readonly instances: number; readonly lines: number; readonly retired: number }
export const nothingLeft: Left = { instances: 0, lines: 0, retired: 0 }

/** Somebody's place in the line of a pool, as it was seen without a break. */
export type Place = {
  readonly waiterId: string
  readonly seq: number
  readonly priority: number
  /** Database time: every statement that began later saw it. Undefined: it was seen once so far. */
  knownAt: number | undefined
  lastAt: number
  /** The last look that showed it. */
  look: number
}

const everything = `select extract(epoch from statement_timestamp())::float8 * 1000 as at,
  extract(epoch from clock_timestamp())::float8 * 1000 as until,
  (select json_agg(json_build_array(pod_uid, pool_id, shared)) from (
    select pod_uid, pool_id, false as shared from ready
    union all select pod_uid, pool_id, true from shared_pod where eligible) o) as offered,
  (select json_agg(id) from pool) as pools,
  (select json_agg(json_build_array(pool_id, instances, lines, retired)) from (
    select pool_id, count(*) filter (where what = 'i') as instances, count(*) filter (where what = 'l') as lines,
      count(*) filter (where what = 'r') as retired
    from (select pool_id, 'i' as what from instance union all select pool_id, 'l' from line
      union all select pool_id, 'r' from retired where gone_at is null) x group by pool_id) y) as "left",
  (select json_agg(json_build_array(l.pool_id, l.waiter_id, l.seq, l.priority, l.replica))
    from line l join replica r on r.id = l.replica
    where l.deadline > instance_now() and r.seen_at > statement_timestamp() - interval '5 s') as places,
  (select json_agg(id) from test_binding
    where begun_at > extract(epoch from statement_timestamp()) * 1000 - 2000) as bound`

type Row = {
  readonly at: number
  readonly until: number
  readonly offered: [string, number, boolean][] | null
  readonly pools: number[] | null
  readonly left: [number, number, number, number][] | null
  readonly places: [number, string, number, number, string][] | null
  readonly bound: string[] | null
}

/** What can never be, at whatever moment one looks. */
const contradictions = `select pod_uid || ' is in ' || string_agg(place, ' and ') as problem from (
    select pod_uid, 'ready' as place from ready union all select pod_uid, 'shared' from shared_pod
    union all select pod_uid, 'held' from instance where schedule_policy = 'exclusive'
    union all select pod_uid, 'retired' from retired) p
    group by pod_uid having count(*) > 1
  union all
  select 'what runs on shared pod ' || s.pod_uid || ' is not what is written there'
    from shared_pod s left join instance i on i.pod_uid = s.pod_uid group by s.pod_uid
    having coalesce(sum(i.cpu_millis), 0) <> s.cpu_millis_used or coalesce(sum(i.memory_bytes), 0) <> s.memory_bytes_used
      or s.cpu_millis_used > s.cpu_millis or s.memory_bytes_used > s.memory_bytes or count(i.id) <> s.instances`

const lookMs = 20
/** Looks between two that look for contradictions, too. */
const deepEvery = 10
/** A replica that is silent for 15 s is dead to the line: it cannot have been between two looks that saw it alive. */
const longestGapMs = 9_000
const giveUpMs = 240_000

function toView({ at, until, offered, pools, left }: Omit<Row, 'places' | 'bound'>): TableView {
  const all = offered ?? []
  const byPool = Map.groupBy(all, ([, poolId]) => poolId)
  return {
    at,
    until,
    offered: new Map(all.map(([uid, poolId]) => [uid, poolId])),
    offers: new Map([...byPool].map(([poolId, rows]) => [poolId, rows.map(([uid]) => uid)])),
    shared: new Set(all.flatMap(([uid, , isShared]) => (isShared ? [uid] : []))),
    pools: new Set(pools),
    left: new Map(left?.map(([poolId, instances, lines, retired]) => [poolId, { instances, lines, retired }])),
  }
}

type Waiter = {
  readonly isSo: (view: TableView) => boolean
  readonly resolve: (view: TableView) => void
  readonly since: number
}

export type TableWatch = ReturnType<typeof watchTables>

/** Looks at the tables of instances again and again; one statement for everybody who waits for something. */
export function watchTables(
  db: Database,
  options: { readonly hasBeenReady: (podUid: string) => boolean; readonly onProblem: (problem: string) => void },
) {
  const { hasBeenReady, onProblem } = options
  const places = new Map<number, Map<string, Place>>()
  const deadReplicas = new Set<string>()
  /** The first look that showed an instance. */
  const boundSince = new Map<string, number>()
  const stop = new AbortController()
  let waiters: Waiter[] = []
  let latest = toView({ at: 0, until: 0, offered: null, pools: null, left: null })
  let looks = 0

  async function look(): Promise<void> {
    looks += 1
    const begunAt = performance.now()
    const [row] = await db.query<Row>(everything)
    if (row === undefined) return
    latest = toView(row)
    for (const [poolId, waiterId, seq, priority, replica] of row.places ?? [])
      if (!deadReplicas.has(replica)) see(poolId, { waiterId, seq, priority }, row.at)
    for (const id of row.bound ?? []) if (!boundSince.has(id)) boundSince.set(id, looks)
    const view = latest
    for (const uid of view.offered.keys()) if (!hasBeenReady(uid)) onProblem(`${uid} is offered and was never ready`)
    waiters = waiters.filter((waiter) => {
      if (waiter.since > begunAt || !waiter.isSo(view)) return true
      waiter.resolve(view)
      return false
    })
    if (looks % deepEvery > 0) return
    for (const { problem } of await db.query<{ problem: string }>(contradictions)) onProblem(problem)
  }

  function see(poolId: number, place: Pick<Place, 'waiterId' | 'seq' | 'priority'>, at: number): void {
    const line = places.get(poolId) ?? new Map<string, Place>()
    places.set(poolId, line)
    const key = `${place.waiterId} ${place.seq}`
    const known = line.get(key)
    if (known === undefined || known.look !== looks - 1 || at - known.lastAt > longestGapMs)
      line.set(key, { ...place, knownAt: undefined, lastAt: at, look: looks })
    else {
      known.knownAt ??= at
      known.lastAt = at
      known.look = looks
    }
  }

  const looking = (async () => {
    while (!stop.signal.aborted) {
      await look()
      await delay(lookMs)
    }
  })()

  return {
    get latest() {
      return latest
    },
    /** Waits for a view, begun from now on, that shows it. Throws when none does. */
    async until(what: () => string, isSo: (view: TableView) => boolean): Promise<TableView> {
      const { promise, resolve, reject } = Promise.withResolvers<TableView>()
      const waiter = { isSo, resolve, since: performance.now() }
      waiters.push(waiter)
      const timer = setTimeout(() => {
        waiters = waiters.filter((other) => other !== waiter)
        reject(new Error(`not in ${giveUpMs / 1000} s: ${what()}`))
      }, giveUpMs)
      return promise.finally(() => clearTimeout(timer))
    },
    /** The first look that showed this instance; undefined: none did. */
    boundSince: (id: string) => boundSince.get(id),
    placesIn: (poolId: number): readonly Place[] => [...(places.get(poolId)?.values() ?? [])],
    forget: (poolId: number) => places.delete(poolId),
    /** Whoever waits through it waits no more. */
    replicaDied: (id: string) => deadReplicas.add(id),
    async stop() {
      stop.abort()
      await looking
    },
  }
}
