import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createAlarmController } from '../src/alarms/alarm-controller.ts'
import { sweepAlarms } from '../src/alarms/alarm-sweep.ts'
import type { PodView } from '../src/pools/plan-types.ts'
import type { Pool } from '../src/pools/pool.ts'
import { listPoolEvents } from '../src/pools/pool-events.ts'
import type { PoolScene } from '../src/pools/pool-scenes.ts'
import { acquireLease, LeaseLost } from '../src/store/lease.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { createMetrics } from '../src/telemetry/metrics.ts'
import { useDatabase } from './support/database.ts'

/** Alarms of pods of the test's making, in a database whose clock only the tests move. */
const t = useDatabase()
const start = '2027-01-04T08:00:00.000Z'
const uid = '00000000-0000-0000-0000-000000000001'
beforeAll(() =>
  t.db.query(`create or replace function instance_now() returns timestamptz language sql stable as
    $$ select '${start}'::timestamptz + coalesce((select shift from instance_clock where id), interval '0') $$`),
)

const pod = (name: string, change: Partial<PodView> = {}): PodView => ({
  uid: `uid-${name}`,
  name,
  ownerKind: '',
  ownerUid: '',
  createdAt: Date.parse(start),
  isReady: false,
  isDeleting: false,
  isFinished: false,
  isBusy: false,
  trouble: undefined,
  ...change,
})
const pending = (name: string) => pod(name, { isPending: true, trouble: 'no room' })
const failing = (name: string) => pod(name, { failing: 'Failed', trouble: 'Evicted: disk' })

let pods: readonly PodView[] | undefined
let scenesOf: () => readonly PoolScene[] | undefined
let metrics = createMetrics()
const scene = (list: readonly PodView[], id = 'p', poolUid = uid): PoolScene => ({
  pool: { uid: poolUid, id, status: 4, spec: { podPendingDurationThreshold: 0 } } as unknown as Pool,
  pods: list,
  creating: 0,
})

const controller = (change: { hasWebhook?: boolean; lease?: Awaited<ReturnType<typeof lease>> } = {}) =>
  createAlarmController({
    db: t.db,
    lease: undefined,
    pools: { scenes: () => scenesOf() },
    namespace: 'ns',
    hasWebhook: false,
    logger: createLogger({ level: 'silent' }),
    metrics,
    ...change,
  })
const lease = () => acquireLease(t.db, 'alarms', crypto.randomUUID(), 60, { force: true })

const pass = (seconds: number) =>
  t.db.query(
    `insert into instance_clock (shift) values (make_interval(secs => $1))
     on conflict (id) do update set shift = instance_clock.shift + excluded.shift`,
    [seconds],
  )
const alarms = () =>
  t.db.query<{ kind: string; pod_name: string; cleared_because: string; isOpen: boolean }>(
    'select kind, pod_name, cleared_because, cleared_at is null as "isOpen" from alarm order by id',
  )
const story = async () =>
  (await listPoolEvents(t.db, 'p', { limit: 100 })).map(({ reason, message }) => [reason, message])
const log = () =>
  t.db.query<{ type: string; object_id: number; detail: { state: string } }>(
    `select type, object_id, detail from event where resource = 'alarm' order by seq`,
  )
const outbox = async () =>
  (await t.db.query<{ body: string }>('select body from webhook_outbox order by id')).map(
    ({ body }) =>
      JSON.parse(body) as { type: string; timestamp: string; data: { pool: string; kind: string; alarms: unknown[] } },
  )
const gauge = async () =>
  (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith('podyard_pool_alarms{'))

beforeEach(async () => {
  pods = []
  metrics = createMetrics()
  scenesOf = () => (pods === undefined ? undefined : [scene(pods)])
})
afterEach(() => t.db.query('truncate alarm, webhook_outbox, instance_clock, event, pool_event'))

describe('a pod that is pending for too long', () => {
  test('raises one alarm: row, event, story, message and metric; and is cleared once', async () => {
    const { tick } = controller({ hasWebhook: true })
    pods = [pending('a')]
    await tick()
    await pass(119)
    await tick()
    expect(await alarms()).toEqual([])
    await pass(1)
    for (let i = 0; i < 3; i += 1) await tick()
    expect(await alarms()).toEqual([{ kind: 'pending', pod_name: 'a', cleared_because: '', isOpen: true }])
    expect(await gauge()).toEqual(['podyard_pool_alarms{pool="p",kind="pending"} 1'])
    pods = [pod('a', { isReady: true })]
    for (let i = 0; i < 3; i += 1) await tick()
    expect(await alarms()).toEqual([
      { kind: 'pending', pod_name: 'a', cleared_because: 'the pod is pending no more', isOpen: false },
    ])
    expect(await gauge()).toEqual([])
    expect(await story()).toEqual([
      ['AlarmPending', 'pending for too long: pod a: no room'],
      ['AlarmCleared', 'pending no more: pod a: the pod is pending no more'],
    ])
    const view = {
      id: expect.any(Number),
      kind: 'pending',
      state: 'open',
      pool: 'p',
      pool_uid: uid,
      pod: { name: 'a', namespace: 'ns', uid: 'uid-a' },
      cause: 'no room',
      since: start,
      raised_at: '2027-01-04T08:02:00.000Z',
      cleared_at: null,
      cleared_because: '',
    }
    const cleared = {
      ...view,
      state: 'cleared',
      cleared_at: '2027-01-04T08:02:00.000Z',
      cleared_because: 'the pod is pending no more',
    }
    expect((await log()).map(({ type, detail }) => [type, detail])).toEqual([
      ['create', view],
      ['update', cleared],
    ])
    const about = { timestamp: '2027-01-04T08:02:00.000Z' }
    expect(await outbox()).toEqual([
      { type: 'alarm.raised', ...about, data: { pool: 'p', kind: 'pending', alarms: [view] } },
      { type: 'alarm.cleared', ...about, data: { pool: 'p', kind: 'pending', alarms: [cleared] } },
    ])
  })

  test('raises it again when it is a new pod', async () => {
    const { tick } = controller()
    pods = [pending('a')]
    await pass(120)
    await tick()
    pods = [pending('b')]
    await tick()
    expect(await alarms()).toEqual([
      { kind: 'pending', pod_name: 'a', cleared_because: 'the pod is gone', isOpen: false },
      { kind: 'pending', pod_name: 'b', cleared_because: '', isOpen: true },
    ])
  })
})

test('another process goes on where the first one stopped: nothing is raised or cleared twice', async () => {
  pods = [failing('a'), failing('b')]
  await controller({ hasWebhook: true }).tick()
  await controller({ hasWebhook: true }).tick()
  expect(await alarms()).toHaveLength(2)
  const third = controller({ hasWebhook: true })
  // It does not know the cluster yet: that no pod is seen means nothing.
  pods = undefined
  await third.tick()
  expect((await alarms()).every(({ isOpen }) => isOpen)).toBe(true)
  pods = [failing('a')]
  await third.tick()
  await controller({ hasWebhook: true }).tick()
  expect((await alarms()).map(({ isOpen }) => isOpen)).toEqual([true, false])
  expect((await log()).map(({ type }) => type)).toEqual(['create', 'create', 'update'])
  expect((await outbox()).map(({ type, data }) => [type, data.alarms.length])).toEqual([
    ['alarm.raised', 2],
    ['alarm.cleared', 1],
  ])
})

test('two processes that look at once raise it once', async () => {
  pods = [failing('a')]
  const both = [controller({ hasWebhook: true }), controller({ hasWebhook: true })]
  await Promise.all(both.map(({ tick }) => tick()))
  expect(await alarms()).toHaveLength(1)
  expect(await log()).toHaveLength(1)
  expect(await outbox()).toHaveLength(1)
  pods = []
  await Promise.all(both.map(({ tick }) => tick()))
  await Promise.all(both.map(({ tick }) => tick()))
  expect((await log()).map(({ type }) => type)).toEqual(['create', 'update'])
})

test('a failed pod is well again when it has been ready for a minute', async () => {
  const { tick } = controller()
  pods = [failing('a')]
  await tick()
  pods = [pod('a', { isReady: true })]
  await tick()
  await pass(59)
  await tick()
  expect((await alarms()).map(({ isOpen }) => isOpen)).toEqual([true])
  await pass(1)
  await tick()
  expect(await alarms()).toMatchObject([{ isOpen: false, cleared_because: 'the pod is ready' }])
})

test('a thousand pods that fail together are a line of the story and ten messages', async () => {
  const { tick } = controller({ hasWebhook: true })
  pods = Array.from({ length: 1_000 }, (_, i) => failing(`pod${i}`))
  await tick()
  expect(await story()).toEqual([
    ['AlarmFailed', 'failed: pods pod0, pod1, pod2, pod3, pod4 and 995 more: Evicted: disk'],
  ])
  expect((await outbox()).map(({ data }) => data.alarms.length)).toEqual(Array(10).fill(100))
  expect(await gauge()).toEqual(['podyard_pool_alarms{pool="p",kind="failed"} 1000'])
  pods = []
  await tick()
  expect(await outbox()).toHaveLength(20)
})

test('the alarms of a pool that is gone are cleared', async () => {
  const { tick } = controller()
  pods = [failing('a')]
  await tick()
  scenesOf = () => []
  await tick()
  expect(await alarms()).toMatchObject([{ isOpen: false }])
  expect((await story()).map(([reason]) => reason)).toEqual(['AlarmFailed', 'AlarmCleared'])
})

test('the metric names 500 pools at most, and counts the others together', async () => {
  scenesOf = () =>
    Array.from({ length: 503 }, (_, i) =>
      scene([failing(`pod${i}`)], `p${i}`, `00000000-0000-0000-0000-${String(i).padStart(12, '0')}`),
    )
  await controller().tick()
  const lines = await gauge()
  expect(lines).toHaveLength(501)
  expect(lines).toContain('podyard_pool_alarms{pool="_other",kind="failed"} 3')
})

test('messages beyond what the outbox holds are counted, not kept; the alarm is', async () => {
  await t.db.query(
    `insert into webhook_outbox (message_id, body) select n::text, '{}' from generate_series(1, 10000) n`,
  )
  pods = [failing('a')]
  await controller({ hasWebhook: true }).tick()
  expect(await alarms()).toHaveLength(1)
  expect(await outbox()).toHaveLength(10_000)
  expect(await metrics.registry.metrics()).toContain('podyard_alarm_webhook_given_up_total 1')
})

test('one that lost the lease raises nothing', async () => {
  const old = controller({ lease: await lease() })
  const young = controller({ lease: await lease() })
  pods = [failing('a')]
  await expect(old.run(new AbortController().signal)).rejects.toThrow(LeaseLost)
  expect(await alarms()).toEqual([])
  await young.tick()
  expect(await alarms()).toHaveLength(1)
})

test('cleared alarms go by age, open ones stay', async () => {
  const { tick } = controller()
  pods = [failing('a'), failing('b')]
  await tick()
  pods = [failing('b')]
  await tick()
  await pass(90 * 86_400)
  expect(await sweepAlarms(t.db, 90)).toBe(0)
  await pass(1)
  expect(await sweepAlarms(t.db, 90)).toBe(1)
  expect(await alarms()).toMatchObject([{ pod_name: 'b', isOpen: true }])
})

test('text that no database stores does not stop the alarm', async () => {
  pods = [pod('a', { failing: 'Failed', trouble: `half \ud83d and NUL \0 and ${'x'.repeat(5_000)}` })]
  await controller({ hasWebhook: true }).tick()
  expect(await alarms()).toHaveLength(1)
})
