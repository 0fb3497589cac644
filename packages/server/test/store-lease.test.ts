import { describe, expect, test } from 'vitest'
import { type Database, openDatabase } from '../src/store/database.ts'
import { acquireLease, inFencedTransaction, type Lease, LeaseLost, releaseLease } from '../src/store/lease.ts'
import { inTransaction } from '../src/store/transaction.ts'
import { connectionTo, useDatabase } from './support/database.ts'
import { eventually } from './support/pool-cluster.ts'
import { startTcpProxy } from './support/tcp-proxy.ts'

const t = useDatabase()

async function lead(name: string, holder: string, seconds: number, db: Database = t.db): Promise<Lease> {
  const lease = await acquireLease(db, name, holder, seconds)
  if (lease === undefined) throw new Error(`${holder} did not get the lease ${name}`)
  return lease
}

/** Runs `work` with a database behind a network that can be cut. */
async function withNetwork(
  work: (db: Database, network: Awaited<ReturnType<typeof startTcpProxy>>) => Promise<void>,
  options: { readonly idleInTransactionTimeoutMs?: number } = {},
): Promise<void> {
  const { host, port, ...at } = connectionTo(t.name)
  const network = await startTcpProxy({ path: `${host}/.s.PGSQL.${port}` })
  const db = openDatabase({ connection: { ...at, host: '127.0.0.1', port: network.port }, ...options })
  try {
    await work(db, network)
  } finally {
    await network.stop()
    await db.close()
  }
}

/** Waits until a statement of this test file waits for a lock. */
const aWaiter = () =>
  eventually('a statement that waits for a lock', async () => {
    const waiting = await t.db.query(
      `select query from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    )
    return { isDone: waiting.length > 0, value: waiting }
  })

test('one holder at a time, an epoch per holder, and an old holder writes nothing', async () => {
  const first = await lead('controllers', 'a', 60)
  expect(first).toEqual({ name: 'controllers', holder: 'a', epoch: 1, seconds: 60 })
  expect(await acquireLease(t.db, 'controllers', 'b', 60)).toBeUndefined()
  expect(await acquireLease(t.db, 'controllers', 'a', 60)).toMatchObject({ epoch: 1 })
  await releaseLease(t.db, first)
  expect(await acquireLease(t.db, 'controllers', 'b', 60)).toMatchObject({ holder: 'b', epoch: 2 })
  await expect(inFencedTransaction(t.db, first, async () => 'written')).rejects.toBeInstanceOf(LeaseLost)
})

test('of many who want a lapsed lease one gets it', async () => {
  await releaseLease(t.db, await lead('many', 'a', 60))
  const got = await Promise.all(Array.from({ length: 12 }, (_, i) => acquireLease(t.db, 'many', `b${i}`, 60)))
  expect(got.filter((lease) => lease !== undefined)).toEqual([expect.objectContaining({ epoch: 2 })])
})

test('a long transaction of the holder lets it renew, and a takeover waits until it has ended', async () => {
  await t.db.query('create table written (epoch int)')
  const lease = await lead('long', 'a', 60)
  let takeover: Promise<Lease | undefined> | undefined
  await inFencedTransaction(t.db, lease, async (tx) => {
    expect(await acquireLease(t.db, 'long', 'a', 60)).toEqual(lease)
    takeover = acquireLease(t.db, 'long', 'b', 60, { force: true })
    await aWaiter()
    await tx.query('insert into written values (1)')
  })
  expect(await takeover).toMatchObject({ holder: 'b', epoch: 2 })
  expect(await t.db.query('select epoch from written')).toEqual([{ epoch: 1 }])
})

test('a transaction that works for longer than the term is left alone', async () => {
  const lease = await lead('busy', 'a', 4)
  await inFencedTransaction(t.db, lease, (tx) => tx.query('select pg_sleep(5)'))
})

describe('who is cut off in the middle of a transaction', () => {
  test('keeps nobody from the lease for longer than its term, and has written nothing', async () => {
    await t.db.query('create table half (id int)')
    await withNetwork(async (db, network) => {
      const lease = await lead('cut', 'a', 1, db)
      const cut = inFencedTransaction(db, lease, async (tx) => {
        await tx.query('insert into half values (1)')
        network.partition()
        await tx.query('insert into half values (2)')
      })
      cut.catch(() => {})
      const next = await eventually('the other holder', async () => {
        const value = await acquireLease(t.db, 'cut', 'b', 60)
        return { isDone: value !== undefined, value }
      })
      expect(next).toMatchObject({ epoch: 2 })
      await network.stop()
      await expect(cut).rejects.toMatchObject({ family: 'storage', status: 503 })
      expect(await t.db.query('select id from half')).toEqual([])
    })
  })

  test('gives back every other row that it has locked, too', async () => {
    await t.db.query('create table locked (id int)')
    await t.db.query('insert into locked values (1)')
    await withNetwork(
      async (db, network) => {
        const isCut = Promise.withResolvers<void>()
        const cut = inTransaction(db, async (tx) => {
          await tx.query('update locked set id = 2')
          network.partition()
          isCut.resolve()
          await tx.query('select 1')
        })
        cut.catch(isCut.reject)
        await isCut.promise
        await t.db.query('update locked set id = id + 10')
        expect(await t.db.query('select id from locked')).toEqual([{ id: 11 }])
        await network.stop()
        await expect(cut).rejects.toMatchObject({ family: 'storage', status: 503 })
      },
      { idleInTransactionTimeoutMs: 1_000 },
    )
  })
})

test('a transaction that nobody goes on with fails as an unavailable storage does, once it is gone on with', async () => {
  const db = openDatabase({ connection: connectionTo(t.name), idleInTransactionTimeoutMs: 200 })
  const slept = inTransaction(db, async (tx) => {
    const [{ pid } = { pid: 0 }] = await tx.query<{ pid: number }>('select pg_backend_pid() as pid')
    await eventually('the server ends it', async () => {
      const left = await t.db.query('select 1 from pg_stat_activity where pid = $1', [pid])
      return { isDone: left.length === 0, value: left }
    })
    await tx.query('select 1')
  })
  await expect(slept).rejects.toMatchObject({ family: 'storage', status: 503 })
  await db.close()
})

test('the server is told how to find out that a connection is dead', async () => {
  const settings = await t.db.query(
    `select name, source from pg_settings where name like 'tcp\\_%' or name = 'idle_in_transaction_session_timeout' order by name`,
  )
  expect(settings).toEqual(
    [
      'idle_in_transaction_session_timeout',
      'tcp_keepalives_count',
      'tcp_keepalives_idle',
      'tcp_keepalives_interval',
      'tcp_user_timeout',
    ].map((name) => ({ name, source: 'client' })),
  )
})
