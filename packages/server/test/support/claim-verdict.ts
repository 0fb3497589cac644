import { batchIds } from '../../src/instances/instance.ts'
import type { Database } from '../../src/store/database.ts'
import { type ClaimStory, countOf, outcomeOf, type StoryPool } from './claim-story.ts'
import type { ClaimWindows } from './claim-windows.ts'
import type { PodDiary } from './pod-diary.ts'
import type { TableWatch } from './table-watch.ts'

type Row = {
  readonly id: string
  readonly request_id: string | null
  readonly pool_id: number
  readonly pod_uid: string
  readonly policy: 'exclusive' | 'shared'
  readonly priority: number
  readonly state: string
  readonly reason: string
  /** Database time in milliseconds of the statement that wrote it, and of the beginning of its transaction. */
  readonly made_at: number
  readonly begun_at: number
}

const ledger = `select i.id, i.request_id, i.pool_id, i.pod_uid, i.schedule_policy as policy, i.priority, i.state, i.reason,
    extract(epoch from i.created_at)::float8 * 1000 as made_at, b.begun_at
  from (
    select id, request_id, pool_id, pod_uid, schedule_policy, priority, state, '' as reason, created_at
      from instance where pool_id = any($1)
    union all select id, request_id, pool_id, pod_uid, schedule_policy, priority, state, reason, created_at
      from instance_past where pool_name = any($2)) i
  join test_binding b on b.id = i.id`

/** Writes down when the transactions began that bound instances, and the places of all who ever waited. */
export const recordBindings = `
  drop table if exists test_binding, test_place;
  create table test_binding (id text primary key, begun_at float8 not null);
  create index on test_binding (begun_at);
  create table test_place (id text not null, seq bigint not null);
  create index on test_place (id);
  create or replace function test_record_binding() returns trigger language plpgsql as $$ begin
    insert into test_binding values (new.id, extract(epoch from now()) * 1000); return null; end $$;
  create or replace function test_record_place() returns trigger language plpgsql as $$ begin
    insert into test_place values (new.id, new.seq); return null; end $$;
  create or replace trigger test_binding after insert on instance for each row execute function test_record_binding();
  create or replace trigger test_place after insert on waiter for each row execute function test_record_place()`

/** What is wrong with a sequence that is over, by the ledger, the pods and what clients were answered. */
export async function judgeClaims(
  world: {
    readonly db: Database
    readonly diary: PodDiary
    readonly tables: TableWatch
    readonly windows: ClaimWindows
  },
  story: ClaimStory,
  pools: readonly StoryPool[],
  /** Database time in milliseconds before which there was nothing of this sequence. */
  since: number,
): Promise<string[]> {
  const { db, diary, tables, windows } = world
  const poolIds = pools.map(({ id }) => id)
  await windows.idle()
  const ever = await db.query<Row>(ledger, [poolIds, pools.map(({ name }) => name)])
  const rows = ever.filter((row) => row.begun_at > since)
  const seats = await db.query<{ id: string; seq: number }>(
    'select id, max(seq) as seq from test_place where id = any($1) group by id',
    [story.asked.flatMap(({ tries }) => [...tries.keys()])],
  )
  const seatOf = new Map(seats.map(({ id, seq }) => [id, seq]))
  const byId = new Map(rows.map((row) => [row.id, row]))
  return [...pods(), ...answers(), ...ends(), ...lines()]

  /** One exclusive instance in the life of a pod, or shared ones; and none while it could not be had. */
  function* pods() {
    for (const [uid, on] of Map.groupBy(ever, (row) => row.pod_uid)) {
      const exclusive = on.filter(({ policy }) => policy === 'exclusive')
      if (exclusive.length > 1 || (exclusive.length === 1 && on.length > 1))
        yield `pod ${uid} was handed out to ${on.map(({ id, policy }) => `${id} (${policy})`).join(' and ')}`
      if (diary.get(uid)?.hasBeenReady !== true) yield `pod ${uid} was handed out and was never ready`
      for (const { id, begun_at, made_at } of on)
        for (const { closedAt, openedAt } of windows.of(uid))
          if (begun_at > closedAt && made_at < openedAt)
            yield `${id} got pod ${uid} at ${made_at}, which could not be had from ${closedAt} to ${openedAt}`
    }
  }

  /** What was answered is there, as it was answered; what was refused holds nothing; one answer for each request id. */
  function* answers() {
    for (const claim of story.asked) {
      for (const { id, podUid } of claim.instances) {
        const row = byId.get(id)
        if (row?.pod_uid !== podUid) yield `${id} was answered on pod ${podUid}, and is ${JSON.stringify(row)}`
      }
      for (const [first, state] of claim.tries)
        if (state === 'refused' && outcomeOf(claim) === 'refused')
          for (const id of batchIds(first, countOf(claim))) if (byId.has(id)) yield `${id} was refused, and is there`
      const requestId = claim.body.request_id
      const made = rows.filter((row) => requestId !== undefined && row.request_id === requestId)
      if (made.length > countOf(claim)) yield `request ${requestId} has ${made.map(({ id }) => id).join(' and ')}`
    }
    for (const { id } of rows) if (story.ownerOf(id) === undefined) yield `nobody asked for ${id}`
  }

  /** Nothing ends but for a reason. */
  function* ends() {
    for (const { id, state, reason, pod_uid } of rows) {
      const how = story.over.get(id)
      const isOurs =
        state === 'lost'
          ? diary.get(pod_uid)?.wasEnded === true
          : state === 'expired'
            ? how === 'expired'
            : how !== undefined || reason === 'the client had left'
      if (!isOurs) yield `${id} ended unasked: ${state}, ${reason}`
    }
  }

  /**
   * Nobody got a pod of a pool while somebody stood before him in its line: there before the transaction that bound the one
   * began, and there still when it had ended. Shared claims may pass, on pods that are shared already.
   */
  function* lines() {
    for (const row of rows) {
      if (row.policy === 'shared') continue
      const owner = story.ownerOf(row.id)
      const own = [...(owner?.tries.keys() ?? [])].find((id) => batchIds(id, countOf(owner as never)).includes(row.id))
      const seat = seatOf.get(own ?? '') ?? Number.POSITIVE_INFINITY
      for (const place of tables.placesIn(row.pool_id)) {
        const isBefore = place.priority > row.priority || (place.priority === row.priority && place.seq < seat)
        const wasThere = (place.knownAt ?? Number.POSITIVE_INFINITY) < row.begun_at
        const isThere = place.look >= (tables.boundSince(row.id) ?? Number.POSITIVE_INFINITY)
        if (isBefore && wasThere && isThere && place.waiterId !== own)
          yield `${row.id} (place ${seat}, priority ${row.priority}) overtook ${JSON.stringify(place)} at ${row.begun_at}`
      }
    }
  }
}
