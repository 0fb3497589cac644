import { describe, expect, test } from 'vitest'
import { openDatabase, UniqueViolation } from '../src/store/database.ts'
import { inTransaction } from '../src/store/transaction.ts'
import { admin, connectionTo, useDatabase } from './support/database.ts'

const t = useDatabase()

describe('inTransaction', () => {
  test('commits what the work did', async () => {
    await inTransaction(t.db, (tx) => tx.query('create table committed (id int primary key)'))
    expect(await t.db.query('select count(*) as n from committed')).toEqual([{ n: 0 }])
  })

  test('rolls everything back when the work throws', async () => {
    await t.db.query('create table kept (id int primary key)')
    const failing = inTransaction(t.db, async (tx) => {
      await tx.query('insert into kept values (1)')
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(await t.db.query('select * from kept')).toEqual([])
  })

  test('a unique index that refuses a row is a UniqueViolation with the constraint', async () => {
    await t.db.query('create table once (id int primary key)')
    await t.db.query('insert into once values (1)')
    const again = t.db.query('insert into once values (1)')
    await expect(again).rejects.toBeInstanceOf(UniqueViolation)
    await expect(again).rejects.toMatchObject({ constraint: 'once_pkey' })
  })

  test('runs again after losing a race', async () => {
    let runs = 0
    await inTransaction(t.db, async (tx) => {
      runs += 1
      if (runs < 3) await tx.query(`do $$ begin raise exception 'race' using errcode = '40001'; end $$`)
    })
    expect(runs).toBe(3)
  })
})

test('connections that the server ends, in whatever state, fail their work and nothing else', async () => {
  const db = openDatabase({ connection: connectionTo(t.name), max: 8 })
  let ended = false
  const outcomes = Array.from({ length: 16 }, async () => {
    const seen: unknown[] = []
    while (!ended) {
      await inTransaction(db, async (tx) => {
        await tx.query('select 1')
        await tx.query('select pg_sleep(0.001)')
      }).catch((error: unknown) => seen.push(error))
    }
    return seen
  })
  for (let round = 0; round < 30; round += 1)
    await admin(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${t.name}' and application_name = 'podyard' and pid <> pg_backend_pid()`,
    )
  ended = true
  const failures = (await Promise.all(outcomes)).flat()
  expect(failures.length).toBeGreaterThan(0)
  for (const failure of failures) expect(failure).toMatchObject({ family: 'storage', status: 503 })
  expect(await db.query('select 1 as one')).toEqual([{ one: 1 }])
  await db.close()
})
