import type { Queryable, Statement } from '../store/database.ts'
import type { EventFilter, EventType, LoggedEvent } from './event.ts'
import type { Look } from './horizon.ts'

type Runs = Pick<Queryable, 'run'>

/** Numbers that one look takes at most. */
export const lookLimit = 1000

/**
 * The snapshot of this very statement beside the numbers that it sees. `age` counts from the next id that nobody has, and
 * is called after the snapshot was taken.
 */
const look: Statement = {
  name: 'event-look',
  text: `select pg_snapshot_xmin(s)::text::bigint as xmin,
      pg_snapshot_xmin(s)::text::bigint + age(pg_snapshot_xmin(s)::xid) as next_xid,
      array(select seq from event where seq > $1 order by seq limit ${lookLimit}) as seqs,
      (select max(seq) from event) as last
    from pg_current_snapshot() s`,
}

/** A look beyond `position`; `last` is the highest number there is, 0 without any. */
export async function lookBeyond(connection: Runs, position: number): Promise<Look & { readonly last: number }> {
  const [row] = await connection.run<{ xmin: number; next_xid: number; seqs: string[]; last: number | null }>(look, [
    position,
  ])
  if (row === undefined) throw new Error('a look without an answer')
  return { xmin: row.xmin, nextXid: row.next_xid, seqs: row.seqs.map(Number), last: row.last ?? 0 }
}

const columns = 'seq, at, resource, sub_resource, type, object_id, biz_id, tenant, detail::text as detail'

type Row = {
  readonly seq: number
  readonly at: Date
  readonly resource: string
  readonly sub_resource: string
  readonly type: EventType
  readonly object_id: number
  readonly biz_id: number
  readonly tenant: string
  readonly detail: string
}

const toEvent = (row: Row): LoggedEvent => ({
  seq: row.seq,
  at: row.at,
  resource: row.resource,
  subResource: row.sub_resource,
  type: row.type,
  objectId: row.object_id,
  bizId: row.biz_id,
  tenant: row.tenant,
  detail: row.detail,
})

const range: Statement = {
  name: 'event-range',
  text: `select ${columns} from event where seq > $1 and seq <= $2 order by seq`,
}

/** Every event of a range that is settled. */
export async function readRange(connection: Runs, after: number, through: number): Promise<LoggedEvent[]> {
  return (await connection.run<Row>(range, [after, through])).map(toEvent)
}

/**
 * Resources with an index of their own (`event_rare`): few events among many. The index is partial, so the statement must
 * name the resource in its text. Events of pods and instances are found by their number: what is frequent is near.
 */
const indexed: ReadonlySet<string> = new Set([
  'biz',
  'host',
  'kube_cluster',
  'kube_namespace',
  'kube_node',
  'kube_workload',
])

const conditions = `($3::text is null or sub_resource = $3) and ($4::text[] is null or type = any($4))
      and ($5::text[] is null or tenant = any($5))`

const page = (name: string, resource: string, order: string): Statement => ({
  name: `event-page-${name}`,
  text: `select ${columns} from event where seq > $1 and seq <= $2 and ${resource} and ${conditions}
    order by ${order} limit $6`,
})

const byNumber = page('by-number', 'resource = any($7)', 'seq')
const byNumberBackwards = page('by-number-backwards', 'resource = any($7)', 'seq desc')
const byResource = new Map(
  [...indexed].map((resource) => [
    resource,
    {
      forwards: page(resource, `resource = '${resource}'`, 'resource, seq'),
      backwards: page(`${resource}-backwards`, `resource = '${resource}'`, 'resource desc, seq desc'),
    },
  ]),
)

/** Rows that one statement walks over at most: about 5 ms. */
const windowRows = 10_000
/** Statements of one call. */
const maxWindows = 20

export type EventPage = {
  /** Ascending; at most as many as were asked for. */
  readonly events: readonly LoggedEvent[]
  /** Every event that matches and is not later than this is in the page or before it: read on from here. */
  readonly position: number
}

/**
 * Matching events beyond `after` up to `through`, which must be settled. Walks a bounded part of the log: a page may be
 * empty before the end.
 */
export async function readPage(
  db: Runs,
  filter: EventFilter,
  bounds: { readonly after: number; readonly through: number; readonly limit: number },
): Promise<EventPage> {
  const own = ownIndex(filter)
  if (own !== undefined) return filled(await run(db, own.forwards, filter, bounds), bounds)
  let { after } = bounds
  for (let windows = 0; windows < maxWindows && after < bounds.through; windows += 1) {
    const through = Math.min(after + windowRows, bounds.through)
    const events = await run(db, byNumber, filter, { ...bounds, after, through })
    if (events.length > 0) return filled(events, { through, limit: bounds.limit })
    after = through
  }
  return { events: [], position: Math.max(after, bounds.after) }
}

/** The newest matching event up to `through`; undefined when there is none, or none near. */
export async function readNewest(db: Runs, filter: EventFilter, through: number): Promise<LoggedEvent | undefined> {
  const own = ownIndex(filter)
  if (own !== undefined) return (await run(db, own.backwards, filter, { after: 0, through, limit: 1 }))[0]
  let end = through
  for (let windows = 0; windows < maxWindows && end > 0; windows += 1) {
    const after = Math.max(0, end - windowRows)
    const [event] = await run(db, byNumberBackwards, filter, { after, through: end, limit: 1 })
    if (event !== undefined) return event
    end = after
  }
  return undefined
}

const ownIndex = (filter: EventFilter) => {
  const [resource] = filter.resources
  return filter.resources.length === 1 && resource !== undefined ? byResource.get(resource) : undefined
}

async function run(
  db: Runs,
  statement: Statement,
  filter: EventFilter,
  bounds: { readonly after: number; readonly through: number; readonly limit: number },
): Promise<LoggedEvent[]> {
  const { after, through, limit } = bounds
  const values = [after, through, filter.subResource ?? null, filter.types ?? null, filter.tenants ?? null, limit]
  const isAny = statement === byNumber || statement === byNumberBackwards
  return (await db.run<Row>(statement, isAny ? [...values, filter.resources] : values)).map(toEvent)
}

function filled(
  events: readonly LoggedEvent[],
  bounds: { readonly through: number; readonly limit: number },
): EventPage {
  const last = events.at(-1)
  return { events, position: last !== undefined && events.length >= bounds.limit ? last.seq : bounds.through }
}

const one: Statement = { name: 'event-one', text: `select ${columns} from event where seq = $1` }

/** One event by its number; undefined when it was swept, or never was. */
export async function readOne(db: Runs, seq: number): Promise<LoggedEvent | undefined> {
  const [row] = await db.run<Row>(one, [seq])
  return row === undefined ? undefined : toEvent(row)
}

const bounds: Statement = {
  name: 'event-bounds',
  text: `select coalesce(min(seq), 0) as first, coalesce(max(seq), 0) as last,
      (select case when is_called then last_value else 0 end from event_seq_seq) as drawn
    from event`,
}

export type LogBounds = {
  /** The lowest and the highest number there is; 0 without any. */
  readonly first: number
  readonly last: number
  /** The highest number that was ever drawn. */
  readonly drawn: number
}

export async function readBounds(db: Runs): Promise<LogBounds> {
  const [row] = await db.run<LogBounds>(bounds)
  return row ?? { first: 0, last: 0, drawn: 0 }
}

const nextTime: Statement = {
  name: 'event-next-time',
  text: 'select seq, at from event where seq >= $1 order by seq limit 1',
}
const firstFrom: Statement = {
  name: 'event-first-from',
  text: 'select seq from event where seq >= $1 and at >= $2 order by seq limit 1',
}

/** How much earlier than its neighbours in the log a transaction may have begun; statements end after a minute. */
const disorderMs = 120_000

/**
 * The number of the first event whose transaction began at a moment or later; undefined when there is none. The log has no
 * index on time, which would cost each event: halves the numbers until it is near, then walks.
 */
export async function firstEventFrom(db: Runs, moment: Date): Promise<number | undefined> {
  const near = new Date(moment.getTime() - disorderMs)
  let { first: low, last: high } = await readBounds(db)
  if (high === 0) return undefined
  while (low < high) {
    const middle = low + Math.floor((high - low) / 2)
    const [row] = await db.run<{ seq: number; at: Date }>(nextTime, [middle])
    if (row === undefined || row.at > near) high = middle
    else low = row.seq + 1
  }
  const [row] = await db.run<{ seq: number }>(firstFrom, [low, moment])
  return row?.seq
}

const oldest: Statement = {
  name: 'event-oldest-writer',
  text: `select pid, usename as "user", datname as database, application_name as application, state,
      extract(epoch from now() - xact_start)::int as seconds
    from pg_stat_activity where backend_xid is not null order by age(backend_xid) desc limit 1`,
}

/** Whose transaction holds up the log: of the whole server, other databases included. */
export async function oldestWriter(db: Runs): Promise<object | undefined> {
  return (await db.run(oldest))[0]
}
