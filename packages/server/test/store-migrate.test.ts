import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Database, openDatabase } from '../src/store/database.ts'
import { DatabaseTooNew, type Migration, migrate, readMigrations } from '../src/store/migrate.ts'
import { admin, connectionTo, dropDatabase } from './support/database.ts'

const open: Database[] = []
const names: string[] = []

/** An empty database, with as many pools of connections as there are starters. */
async function emptyDatabase(starters: number): Promise<Database[]> {
  const name = `m_${randomBytes(6).toString('hex')}`
  await admin(`create database ${name} template template0`)
  names.push(name)
  const databases = Array.from({ length: starters }, () => openDatabase({ connection: connectionTo(name), max: 2 }))
  open.push(...databases)
  return databases
}

let migrations: readonly Migration[]
beforeAll(async () => {
  migrations = await readMigrations()
})
afterAll(async () => {
  await Promise.all(open.map((db) => db.close()))
  for (const name of names) await dropDatabase(name)
})

describe('migrate', () => {
  test('runs each migration once, in order; a second start runs none', async () => {
    const [db] = await emptyDatabase(1)
    if (db === undefined) throw new Error('no database')
    expect(await migrate(db)).toEqual(migrations.map((m) => m.number))
    expect(await migrate(db)).toEqual([])
    expect(await db.query('select number, name from migration order by number')).toEqual(
      migrations.map(({ number, name }) => ({ number, name })),
    )
  })

  test('of starters at once each migration has one winner, and all of them run on', async () => {
    const starters = await emptyDatabase(4)
    const ran = await Promise.all(starters.map((db) => migrate(db)))
    expect(ran.flat().sort((a, b) => a - b)).toEqual(migrations.map((m) => m.number))
    for (const db of starters) expect(await db.query('select count(*) as n from pool')).toEqual([{ n: 0 }])
  })

  test('a database that is newer than the program is refused, and left as it is', async () => {
    const [db] = await emptyDatabase(1)
    if (db === undefined) throw new Error('no database')
    await migrate(db)
    const older = migrations.slice(0, -1)
    const refused = migrate(db, older)
    await expect(refused).rejects.toBeInstanceOf(DatabaseTooNew)
    await expect(refused).rejects.toThrow(
      `the database is at migration ${migrations.length}, this program knows up to ${older.length}`,
    )
  })

  test('a migration that fails leaves nothing of itself, and says which one it was', async () => {
    const [db] = await emptyDatabase(1)
    if (db === undefined) throw new Error('no database')
    const broken: Migration = { number: 2, name: '0002_broken.sql', sql: 'create table half (id int); select 1 / 0' }
    const first: Migration = { number: 1, name: '0001_first.sql', sql: 'create table first (id int)' }
    await expect(migrate(db, [first, broken])).rejects.toThrow('migration 0002_broken.sql failed: division by zero')
    expect(await db.query('select number from migration')).toEqual([{ number: 1 }])
    expect(await db.query(`select to_regclass('half') as half`)).toEqual([{ half: null }])
    // Mended, it goes on from there.
    expect(await migrate(db, [first, { ...broken, sql: 'create table half (id int)' }])).toEqual([2])
  })
})
