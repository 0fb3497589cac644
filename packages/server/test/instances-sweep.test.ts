import { afterEach, beforeAll, expect, test } from 'vitest'
import { dropLedgerDays, ensureLedgerDays, sweepRequestIds } from '../src/instances/instance-sweep.ts'
import { useDatabase } from './support/database.ts'

const t = useDatabase()
const uid = '00000000-0000-0000-0000-000000000001'
// The last minutes before a night in which clocks go forward in Europe.
const start = '2099-03-28T23:50:00Z'
beforeAll(async () => {
  await t.db.query(`create or replace function instance_now() returns timestamptz language sql stable as
    $$ select '${start}'::timestamptz + coalesce((select shift from instance_clock where id), interval '0') $$`)
  // Those that the migration made.
  await dropLedgerDays(t.db, 1)
})
afterEach(() => t.db.query('truncate instance_past, request, instance_clock'))

const pass = (seconds: number) =>
  t.db.query(
    `insert into instance_clock (shift) values (make_interval(secs => $1))
     on conflict (id) do update set shift = instance_clock.shift + excluded.shift`,
    [seconds],
  )
const end = (id: string, at: string) =>
  t.db.query(
    `insert into instance_past (id, pool_id, pool_uid, pool_name, schedule_policy, pod_uid, pod_name, namespace, warm,
       ended_at, reason) values ($1, 1, $2, 'p', 'exclusive', 'u', 'n', 'ns', true, $3, 'released')`,
    [id, uid, at],
  )
const days = async () =>
  (
    await t.db.query<{ name: string }>(
      `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
       where i.inhparent = 'instance_past'::regclass and c.relname ~ '_2099[0-9]{4}$' order by 1`,
    )
  ).map(({ name }) => name.slice('instance_past_'.length))
const whereIs = async (id: string) =>
  (
    await t.db.query<{ part: string }>('select tableoid::regclass::text as part from instance_past where id = $1', [id])
  )[0]?.part

test('days are made ahead, of 24 hours whatever the time zone, and go whole when they are old enough', async () => {
  await t.db.withConnection(async (connection) => {
    await connection.query(`set timezone to 'Europe/Berlin'`)
    await connection.query('select instance_past_ensure_partitions(instance_now())')
  })
  expect(await days()).toEqual(['20990328', '20990329', '20990330'])
  for (const [id, at] of [
    ['a', '2099-03-28T23:59:59.999Z'],
    ['b', '2099-03-29T00:00:00Z'],
    ['c', '2099-03-29T23:59:59.999Z'],
    ['d', '2099-03-30T00:00:00Z'],
  ] as const)
    await end(id, at)
  expect(await Promise.all(['a', 'b', 'c', 'd'].map(whereIs))).toEqual([
    'instance_past_20990328',
    'instance_past_20990329',
    'instance_past_20990329',
    'instance_past_20990330',
  ])
  // Ten minutes later the 29th begins; with a retention of 2 days the 28th goes at the end of the 30th.
  await pass(600 + 2 * 86_400 - 1)
  expect(await dropLedgerDays(t.db, 2)).toEqual([])
  await pass(1)
  expect(await dropLedgerDays(t.db, 2)).toEqual(['instance_past_20990328'])
  expect(await dropLedgerDays(t.db, 2)).toEqual([])
  expect(await whereIs('a')).toBeUndefined()
  expect(await whereIs('b')).toBe('instance_past_20990329')
  await pass(86_400)
  expect(await dropLedgerDays(t.db, 2)).toEqual(['instance_past_20990329'])
})

test('what nobody made a day for gets one later, and goes by age like the rest', async () => {
  await end('lost1', '2099-06-01T12:00:00Z')
  await end('lost2', '2099-06-03T12:00:00Z')
  expect(await whereIs('lost1')).toBe('instance_past_default')
  await ensureLedgerDays(t.db)
  await ensureLedgerDays(t.db)
  expect(await whereIs('lost1')).toBe('instance_past_20990601')
  expect(await whereIs('lost2')).toBe('instance_past_20990603')
  expect(await t.db.query('select id, ip, containers from instance_past order by id')).toEqual([
    { id: 'lost1', ip: '', containers: [] },
    { id: 'lost2', ip: '', containers: [] },
  ])
  expect(await t.db.query(`select indexdef from pg_indexes where tablename = 'instance_past_20990601'`)).toHaveLength(
    (await t.db.query(`select from pg_indexes where tablename = 'instance_past'`)).length,
  )
  await pass(100 * 86_400)
  expect(await dropLedgerDays(t.db, 30)).toContain('instance_past_20990601')
  expect(await whereIs('lost1')).toBeUndefined()
})

test('a reader of the ledger is not waited for long, and nothing is lost by that', async () => {
  await ensureLedgerDays(t.db)
  await pass(10 * 86_400)
  await t.db.withConnection(async (reader) => {
    await reader.query('begin')
    await reader.query('select count(*) from instance_past')
    await expect(dropLedgerDays(t.db, 1)).rejects.toThrow('lock timeout')
    await reader.query('rollback')
  })
  expect((await dropLedgerDays(t.db, 1)).length).toBeGreaterThan(0)
}, 120_000)

test('request ids go when they have expired, however many there are', async () => {
  await t.db.query(
    `insert into request (request_id, body_hash, instance_id, count, expires_at)
     select 'old' || n, ''::bytea, 'i', 1, instance_now() + interval '1 hour' from generate_series(1, 25000) n
     union all select 'young', ''::bytea, 'i', 1, instance_now() + interval '2 hours'`,
  )
  expect(await sweepRequestIds(t.db)).toBe(0)
  await pass(3_600)
  expect(await sweepRequestIds(t.db)).toBe(25_000)
  expect(await t.db.query('select request_id from request')).toEqual([{ request_id: 'young' }])
})
