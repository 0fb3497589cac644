import type { Database, Queryable } from '../store/database.ts'
import { inFencedTransaction, type Lease } from '../store/lease.ts'
import type { Decision, ScalingInputs, Surplus } from './decide.ts'

/** The tables `autoscale_*`, and what scaling counts in those of instances. */

/** What the scaler remembers of a pool. Times are milliseconds since the epoch. */
export type ScalingState = {
  /** null: the pool declares no autoscaling. */
  readonly wanted: number | null
  readonly surplus: Surplus | undefined
  readonly refillMs: number | undefined
  /** Since when its claims are counted; undefined: they are not. */
  readonly countedSince: number | undefined
}

type StateRow = {
  pool_id: number
  wanted: number | null
  surplus_since: Date | null
  surplus: number
  refill_ms: number | null
  counted_since: Date | null
}

const stateColumns = 'pool_id, wanted, surplus_since, surplus, refill_ms, counted_since'
const selectStates = { name: 'autoscale-states', text: `select ${stateColumns} from autoscale_state` }
const selectState = {
  name: 'autoscale-state',
  text: `select ${stateColumns} from autoscale_state where pool_id = $1`,
}

/** Of every pool that has one, by the pool's number. */
export async function readStates(db: Queryable): Promise<Map<number, ScalingState>> {
  return new Map((await db.run<StateRow>(selectStates)).map((row) => [row.pool_id, toState(row)]))
}

export async function readState(db: Queryable, poolId: number): Promise<ScalingState | undefined> {
  const [row] = await db.run<StateRow>(selectState, [poolId])
  return row === undefined ? undefined : toState(row)
}

const toState = (row: StateRow): ScalingState => ({
  wanted: row.wanted,
  surplus: row.surplus_since === null ? undefined : { sinceMs: row.surplus_since.getTime(), pods: row.surplus },
  refillMs: row.refill_ms ?? undefined,
  countedSince: row.counted_since?.getTime(),
})

/** What is counted in the database for a decision. */
export type Counts = { readonly held: number; readonly waiting: number; readonly claims: number }

// A pod held exclusively has one instance and no row in shared_pod; one that is shared has a row, and any number of them.
// A waiter stands in the line of each pool that may serve it: it is counted in shares, rounded up for each pool. Of those
// that want to share a pod nobody knows how many pods they need: one, together.
// The clock is read once: in a condition it would be a query for each row.
const selectCounts = {
  name: 'autoscale-counts',
  text: `with asked as materialized (select * from unnest($1::bigint[], $2::int[]) as a(pool_id, window_seconds)),
    places as materialized (select waiter_id, count(*) as pools from line group by waiter_id),
    lines as materialized (
      select l.pool_id,
        ceil(coalesce(sum(w.count::numeric / p.pools) filter (where w.schedule_policy = 'exclusive'), 0))
          + bool_or(w.schedule_policy = 'shared')::int as waiting
      from line l join places p using (waiter_id) join waiter w on w.id = l.waiter_id
      where l.deadline > (select instance_now()) group by l.pool_id)
    select a.pool_id,
      (select count(*) from instance i where i.pool_id = a.pool_id) + coalesce(shared.pods - shared.instances, 0) as held,
      coalesce(lines.waiting, 0)::bigint as waiting,
      coalesce(claimed.claims, 0)::bigint as claims
    from asked a
    left join lines using (pool_id)
    left join lateral (select count(*) as pods, coalesce(sum(s.instances), 0) as instances from shared_pod s
      where s.pool_id = a.pool_id) shared on true
    left join lateral (select sum(c.claims) as claims from autoscale_claims c
      where c.pool_id = a.pool_id and c.bucket > (select instance_now()) - make_interval(secs => a.window_seconds)) claimed on true`,
}

/** By pool. `windowSeconds` 0: its claims do not matter. */
export async function readCounts(
  db: Queryable,
  pools: readonly { readonly poolId: number; readonly windowSeconds: number }[],
): Promise<ReadonlyMap<number, Counts>> {
  const rows = await db.run<Counts & { pool_id: number }>(selectCounts, [
    pools.map((pool) => pool.poolId),
    pools.map((pool) => pool.windowSeconds),
  ])
  return new Map(
    rows.map((row) => [
      row.pool_id,
      { held: Number(row.held), waiting: Number(row.waiting), claims: Number(row.claims) },
    ]),
  )
}

const selectNow = {
  name: 'autoscale-now',
  text: `select extract(epoch from instance_now())::float8 * 1000 as now,
    (select case when is_called then last_value else 0 end from instance_no_seq) as no`,
}

/** The time by the database's clock in milliseconds, and the number of the newest instance. */
export async function readNow(db: Queryable): Promise<{ readonly now: number; readonly no: number }> {
  const [row] = await db.run<{ now: number; no: number }>(selectNow)
  if (row === undefined) throw new Error('the database tells no time')
  return { now: row.now, no: row.no }
}

/** Instances counted in one statement at most: whoever was away for long catches up in steps. */
const maxCounted = 200_000

// By number, which both tables have indexed: what ended meanwhile is in instance_past, and only its newest days are asked.
const countClaims = {
  name: 'autoscale-count-claims',
  text: `with bounds as materialized (
      select no as low, least($2::bigint, no + ${maxCounted}) as high from autoscale_cursor for update),
    fresh as (
      select i.pool_id, i.created_at from instance i, bounds b where i.no > b.low and i.no <= b.high
      union all
      select i.pool_id, i.created_at from instance_past i, bounds b
        where i.no > b.low and i.no <= b.high and i.ended_at > (select instance_now()) - interval '2 hours'),
    counted as (
      insert into autoscale_claims as c (pool_id, bucket, claims)
        select pool_id, date_bin('5 seconds', created_at, 'epoch'), count(*) from fresh
          where pool_id = any($1::bigint[]) group by 1, 2 order by 1, 2
        on conflict (pool_id, bucket) do update set claims = c.claims + excluded.claims)
    update autoscale_cursor set no = high from bounds where high > no returning high`,
}
const startCursor = {
  name: 'autoscale-cursor-start',
  text: 'insert into autoscale_cursor (no) values ($1) on conflict do nothing returning no',
}
const stopCursor = { name: 'autoscale-cursor-stop', text: 'delete from autoscale_cursor' }

/** Counts the claims of these pools up to the instance with this number; the first call begins there. */
export function countClaimsUpTo(
  db: Database,
  lease: Lease | undefined,
  poolIds: readonly number[],
  no: number,
): Promise<void> {
  return inFencedTransaction(db, lease, async (tx) => {
    const [started] = await tx.run(startCursor, [no])
    if (started === undefined) await tx.run(countClaims, [poolIds, no])
  })
}

/** No pool wants them counted: whoever wants it next begins with what comes then. */
export function stopCounting(db: Database, lease: Lease | undefined): Promise<void> {
  return inFencedTransaction(db, lease, async (tx) => {
    await tx.run(stopCursor)
  })
}

export type ScalingWrite = {
  readonly states: readonly { readonly poolId: number; readonly state: ScalingState }[]
  readonly decisions: readonly DecisionDraft[]
  /** Pools that are gone. */
  readonly forgotten: readonly number[]
}

export type DecisionDraft = {
  readonly poolUid: string
  readonly poolName: string
  readonly at: number
  readonly wantedBefore: number | null
  readonly decision: Decision
  readonly inputs: ScalingInputs
}

const upsertStates = {
  name: 'autoscale-state-upsert',
  text: `insert into autoscale_state (${stateColumns})
    select ${stateColumns} from json_to_recordset($1) as i(pool_id bigint, wanted bigint, surplus_since timestamptz,
      surplus bigint, refill_ms float8, counted_since timestamptz) order by pool_id
    on conflict (pool_id) do update set wanted = excluded.wanted, surplus_since = excluded.surplus_since,
      surplus = excluded.surplus, refill_ms = excluded.refill_ms, counted_since = excluded.counted_since`,
}
const insertDecisions = {
  name: 'autoscale-decision-insert',
  text: `insert into autoscale_decision (pool_uid, pool_name, at, wanted_before, wanted, decided_by, inputs)
    select pool_uid, pool_name, at, wanted_before, wanted, decided_by, inputs
    from json_to_recordset($1) as i(ord int, pool_uid uuid, pool_name text, at timestamptz, wanted_before bigint,
      wanted bigint, decided_by text, inputs jsonb) order by ord`,
}
const forget = {
  name: 'autoscale-forget',
  text: `with states as (delete from autoscale_state where pool_id = any($1::bigint[]))
    delete from autoscale_claims where pool_id = any($1::bigint[])`,
}

/** Stores decisions and what is remembered, all or nothing. */
export function writeScaling(db: Database, lease: Lease | undefined, write: ScalingWrite): Promise<void> {
  return inFencedTransaction(db, lease, async (tx) => {
    if (write.forgotten.length > 0) await tx.run(forget, [write.forgotten])
    if (write.states.length > 0) await tx.run(upsertStates, [JSON.stringify(write.states.map(toStateRow))])
    if (write.decisions.length > 0)
      await tx.run(insertDecisions, [
        JSON.stringify(
          write.decisions.map((draft, ord) => ({
            ord,
            pool_uid: draft.poolUid,
            pool_name: draft.poolName,
            at: new Date(draft.at),
            wanted_before: draft.wantedBefore,
            wanted: draft.decision.wanted,
            decided_by: draft.decision.by,
            inputs: toInputsView(draft.inputs, draft.decision),
          })),
        ),
      ])
  })
}

const dateOf = (time: number | undefined) => (time === undefined ? null : new Date(time))

const toStateRow = ({ poolId, state }: ScalingWrite['states'][number]) => ({
  pool_id: poolId,
  wanted: state.wanted,
  surplus_since: dateOf(state.surplus?.sinceMs),
  surplus: state.surplus?.pods ?? 0,
  refill_ms: state.refillMs ?? null,
  counted_since: dateOf(state.countedSince),
})

/** On the wire's names. */
function toInputsView(inputs: ScalingInputs, decision: Decision) {
  const { size, maxSize, autoscaling, held, waiting, scheduled, claims, refillMs } = inputs
  return {
    size,
    max_size: maxSize,
    autoscaling,
    held,
    waiting,
    ...(scheduled === undefined ? {} : { scheduled }),
    ...(claims === undefined ? {} : { claims }),
    ...(refillMs === undefined ? {} : { refill_seconds: Math.round(refillMs) / 1_000 }),
    asks: decision.asks,
  }
}

export type StoredDecision = {
  readonly id: number
  readonly pool_uid: string
  readonly at: Date
  readonly wanted_before: number | null
  readonly wanted: number
  readonly decided_by: string
  readonly inputs: Readonly<Record<string, unknown>>
}

const selectDecisions = {
  name: 'autoscale-decisions',
  text: `select id, pool_uid, at, wanted_before, wanted, decided_by, inputs from autoscale_decision
    where pool_name = $1 and id < $2::bigint order by id desc limit $3`,
}

/** Of every pool that had this id, newest first; below `before`. */
export function listDecisions(
  db: Queryable,
  poolName: string,
  page: { readonly before: number; readonly limit: number },
): Promise<StoredDecision[]> {
  return db.run<StoredDecision>(selectDecisions, [poolName, page.before, page.limit])
}
