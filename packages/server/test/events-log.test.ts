import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { LoggedEvent } from '../src/events/event.ts'
import { type EventLog, EventsGone } from '../src/events/event-log.ts'
import { openDatabase } from '../src/store/database.ts'
import { inTransaction } from '../src/store/transaction.ts'
import { connectionTo, useDatabase } from './support/database.ts'
import { insertEvents, startEventLog } from './support/event-log.ts'

const t = useDatabase({ max: 16 })

let started: ReturnType<typeof startEventLog>
let stop: AbortController
beforeEach(async () => {
  await t.db.query('truncate event')
  started = startEventLog(t.db)
  stop = new AbortController()
})
afterEach(async () => {
  stop.abort()
  await started.stop()
})

/** Reads until `enough` says so. */
async function collect(
  log: EventLog,
  request: { readonly resources: readonly string[]; readonly after?: number },
  enough: (events: readonly LoggedEvent[]) => boolean,
): Promise<LoggedEvent[]> {
  const events: LoggedEvent[] = []
  if (enough(events)) return events
  for await (const event of log.follow({ ...request, signal: stop.signal })) {
    events.push(event)
    if (enough(events)) return events
  }
  throw new Error(`ended after ${events.length} events`)
}

const seqs = (events: readonly LoggedEvent[]) => events.map(({ seq }) => seq)

test('follow gives what was there after a number, then what comes, of the resources that were asked for', async () => {
  const old = await insertEvents(t.db, 3, { detail: { name: 'old' } })
  await insertEvents(t.db, 2, { resource: 'pool' })
  const reading = collect(started.log, { resources: ['kube_node'], after: 0 }, (e) => e.length === 5)
  const fresh = await insertEvents(t.db, 2)
  const events = await reading
  expect(seqs(events)).toEqual([...old, ...fresh])
  expect(events[0]).toMatchObject({
    resource: 'kube_node',
    subResource: '',
    type: 'update',
    objectId: 1,
    bizId: 0,
    tenant: '0',
    detail: '{"name": "old"}',
  })
  expect(events[0]?.at).toBeInstanceOf(Date)
})

test('without a number it begins now', async () => {
  const old = await insertEvents(t.db, 3)
  expect(await started.log.movedBeyond((old.at(-1) as number) - 1, stop.signal)).toBe(true)
  const follower = started.log.follow({ resources: ['kube_node'], signal: stop.signal })
  const first = follower.next()
  const [fresh] = await insertEvents(t.db, 1)
  expect((await first).value).toMatchObject({ seq: fresh })
})

test('what a transaction commits late comes before what was committed after it, to every reader', async () => {
  const other = startEventLog(t.db, 'other')
  const enough = (events: readonly LoggedEvent[]) => events.length === 3
  const request = { resources: ['kube_node'], after: 0 }
  await insertEvents(t.db, 1)
  const readers = [started.log, other.log].map((log) => collect(log, request, enough))
  let early: number[] = []
  await inTransaction(t.db, async (tx) => {
    early = await insertEvents(tx, 1)
    await insertEvents(t.db, 1)
    started.log.wake()
    // Both see the later number now, and stand.
    await standing([started, other])
  })
  for (const events of await Promise.all(readers)) {
    expect(seqs(events)).toEqual(seqs(events).toSorted((a, b) => a - b))
    expect(seqs(events)[1]).toBe(early[0])
  }
  await other.stop()
})

const standing = (logs: readonly { readonly metrics: typeof started.metrics }[]) =>
  eventually(async () => {
    for (const { metrics } of logs) expect(await standingSeconds(metrics)).toBeGreaterThan(0)
  })

async function standingSeconds(metrics: typeof started.metrics): Promise<number> {
  const metric = await metrics.registry.getSingleMetric('podyard_event_reader_standing_seconds')?.get()
  return metric?.values[0]?.value ?? 0
}

/** Waits for a state that another actor reaches. */
async function eventually(check: () => Promise<void>): Promise<void> {
  const giveUpAt = performance.now() + 60_000
  for (;;) {
    try {
      return await check()
    } catch (error) {
      if (performance.now() > giveUpAt) throw error
    }
    await delay(5)
  }
}

test('a number that was rolled back does not come, and holds nobody once its transaction has ended', async () => {
  const reading = collect(started.log, { resources: ['kube_node'], after: 0 }, (e) => e.length === 3)
  const kept = await insertEvents(t.db, 1)
  await inTransaction(t.db, async (tx) => {
    await insertEvents(tx, 5)
    kept.push(...(await insertEvents(t.db, 1)))
    throw new Error('roll back')
  }).catch(() => {})
  kept.push(...(await insertEvents(t.db, 1)))
  expect(seqs(await reading)).toEqual(kept)
})

test('standing for more than two seconds shows in the metric and says in the log who is at fault', async () => {
  await started.log.position(stop.signal)
  await inTransaction(t.db, async (tx) => {
    await insertEvents(tx, 1)
    await insertEvents(t.db, 1)
    await eventually(async () => expect(await standingSeconds(started.metrics)).toBeGreaterThan(2))
    await eventually(async () => expect(started.logged).toHaveLength(1))
  })
  expect(JSON.parse(started.logged[0] as string)).toMatchObject({ holder: { application: 'podyard' } })
  await eventually(async () => expect(await standingSeconds(started.metrics)).toBe(0))
})

test('begins above what is there only when nobody can add below it any more', async () => {
  await inTransaction(t.db, async (tx) => {
    await insertEvents(tx, 1)
    const [above] = await insertEvents(t.db, 1)
    const late = startEventLog(t.db, 'late')
    const position = late.log.position(stop.signal)
    await standing([late])
    setImmediate(() => late.log.wake())
    await tx.query('commit; begin')
    expect(await position).toBeGreaterThanOrEqual(above as number)
    await late.stop()
  })
})

test('an event whose transaction was swept away ends the following with EventsGone; an empty log loses nobody', async () => {
  const numbers = await insertEvents(t.db, 5)
  await t.db.query('delete from event where seq <= $1', [numbers[2]])
  const from = (after: number) => collect(started.log, { resources: ['kube_node'], after }, (e) => e.length === 1)
  await expect(from(numbers[1] as number)).rejects.toThrow(EventsGone)
  expect(seqs(await from(numbers[3] as number))).toEqual([numbers[4]])
  expect(seqs(await from(0))).toEqual([numbers[3]])
  await expect(from((numbers[4] as number) + 100)).rejects.toThrow(EventsGone)
  await t.db.query('delete from event')
  const next = from(numbers[4] as number)
  const [fresh] = await insertEvents(t.db, 1)
  expect(seqs(await next)).toEqual([fresh])
})

test('a consumer that is far behind is fed from the table, without a hole at the seam', async () => {
  const follower = started.log.follow({ resources: ['kube_pod'], after: 0, signal: stop.signal })
  const [first] = await insertEvents(t.db, 1, { resource: 'kube_pod' })
  expect((await follower.next()).value).toMatchObject({ seq: first })
  // More than memory keeps: 24 MB of details.
  const detail = { text: 'x'.repeat(2_000) }
  const expected: number[] = []
  for (let round = 0; round < 12; round += 1) {
    expected.push(...(await insertEvents(t.db, 1_000, { resource: 'kube_pod', detail })))
    await insertEvents(t.db, 10, { resource: 'pool' })
  }
  await started.log.movedBeyond((expected.at(-1) as number) - 1, stop.signal)
  const read: number[] = []
  for await (const event of follower) {
    read.push(event.seq)
    if (read.length === expected.length) break
  }
  expect(read).toEqual(expected)
})

test('the end of the log ends those who follow, and so does their own signal', async () => {
  const ended = collect(started.log, { resources: ['kube_node'] }, () => false)
  const own = new AbortController()
  const follower = started.log.follow({ resources: ['kube_node'], after: 0, signal: own.signal })
  const waiting = follower.next()
  own.abort()
  expect(await waiting).toEqual({ value: undefined, done: true })
  await started.stop()
  await expect(ended).rejects.toThrow('ended after 0 events')
})

test('a broken connection is replaced, and nothing is lost meanwhile', async () => {
  const reading = collect(started.log, { resources: ['kube_node'], after: 0 }, (e) => e.length === 20)
  const numbers: number[] = []
  for (let round = 0; round < 20; round += 1) {
    numbers.push(...(await insertEvents(t.db, 1)))
    if (round % 5 === 0)
      await t.db.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and query like '%podyard_event%' and pid <> pg_backend_pid()`,
      )
    if (round % 5 === 2)
      await t.db.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and query like '%pg_current_snapshot%' and pid <> pg_backend_pid()`,
      )
  }
  expect(seqs(await reading)).toEqual(numbers)
})

describe('many writers at once', () => {
  test('nothing lost, nothing repeated, order kept, for several readers that start at different times', async () => {
    const writers = openDatabase({ connection: connectionTo(t.name), max: 8 })
    const readers = [started, startEventLog(t.db, 'second'), startEventLog(t.db, 'third')]
    const committed: number[] = []
    let rolledBack = 0
    let done = false
    const enough = (events: readonly LoggedEvent[]) => done && events.length >= committed.length
    // The end marker makes the last check happen after everything was committed.
    const following = readers.map(async ({ log }, index) => {
      await delay(index * 50)
      const resources = index === 1 ? ['kube_pod', 'end'] : ['kube_pod', 'kube_node', 'end']
      return collect(log, { resources, after: 0 }, (events) => events.at(-1)?.resource === 'end' && enough(events))
    })
    const write = async (writer: number) => {
      for (let round = 0; round < 60; round += 1) {
        await inTransaction(writers, async (tx) => {
          // A row first, as every writer does: here the object's own, so that its events have an order.
          await tx.query('select pg_advisory_xact_lock($1)', [writer % 3])
          const numbers = await insertEvents(tx, 1 + (round % 4), { resource: 'kube_pod', objectId: writer % 3 })
          if ((writer + round) % 3 === 0) await delay(((writer * 7 + round) % 5) * 2)
          if ((writer + round) % 10 === 0) {
            rolledBack += numbers.length
            throw new Error('roll back')
          }
          return numbers
        }).then(
          (numbers) => committed.push(...numbers),
          (error: Error) => {
            if (error.message !== 'roll back') throw error
          },
        )
        if (round % 7 === writer) started.log.wake()
      }
    }
    await Promise.all(Array.from({ length: 8 }, (_, writer) => write(writer)))
    done = true
    committed.push(...(await insertEvents(writers, 1, { resource: 'end' })))
    expect(rolledBack).toBeGreaterThan(0)
    const expected = committed.toSorted((a, b) => a - b)
    for (const events of await Promise.all(following)) expect(seqs(events)).toEqual(expected)
    await Promise.all(readers.slice(1).map((reader) => reader.stop()))
    await writers.close()
  })
})
