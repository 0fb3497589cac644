import { readdir, readFile } from 'node:fs/promises'
import { connect, type Database, translate } from './database.ts'

/** Where the numbered SQL files lie. */
export const migrationsDir = new URL('../../migrations/', import.meta.url)

export type Migration = { readonly number: number; readonly name: string; readonly sql: string }

/** The database was written by a newer Podyard: running on would misread it. */
export class DatabaseTooNew extends Error {
  override readonly name = 'DatabaseTooNew'
  readonly found: number
  readonly known: number
  constructor(found: number, known: number) {
    super(
      `the database is at migration ${found}, this program knows up to ${known}: start a newer Podyard, or restore a database of this version`,
    )
    this.found = found
    this.known = known
  }
}

export async function readMigrations(dir: URL = migrationsDir): Promise<Migration[]> {
  const names = (await readdir(dir)).filter((name) => /^\d{4}_.+\.sql$/.test(name)).sort()
  const migrations = await Promise.all(
    names.map(async (name) => ({
      number: Number(name.slice(0, 4)),
      name,
      sql: await readFile(new URL(name, dir), 'utf8'),
    })),
  )
  migrations.forEach((m, i) => {
    if (m.number !== i + 1) throw new Error(`migration ${m.name}: expected number ${i + 1}`)
  })
  return migrations
}

/**
 * Brings the database up to date and returns the numbers that ran. Each migration inserts its number first, in its own
 * transaction: of two starters one waits on the other's row, finds it committed and goes on to the next. No advisory locks.
 */
export async function migrate(db: Database, migrations?: readonly Migration[]): Promise<number[]> {
  const known = migrations ?? (await readMigrations())
  const ran: number[] = []
  const connection = await connect(db.pool)
  try {
    await createTable(connection)
    const { rows } = await connection.query<{ number: number | null }>('select max(number) as number from migration')
    const found = rows[0]?.number ?? 0
    if (found > known.length) throw new DatabaseTooNew(found, known.length)
    for (const migration of known.slice(found)) {
      await connection.query('begin')
      try {
        const inserted = await connection.query(
          'insert into migration (number, name) values ($1, $2) on conflict do nothing',
          [migration.number, migration.name],
        )
        if (inserted.rowCount === 1) {
          await connection.query(migration.sql)
          ran.push(migration.number)
        }
        await connection.query('commit')
      } catch (error) {
        await connection.query('rollback').catch(() => {})
        throw new Error(`migration ${migration.name} failed: ${(error as Error).message}`, { cause: error })
      }
    }
    return ran
  } catch (error) {
    throw translate(error)
  } finally {
    connection.release()
  }
}

async function createTable(connection: { query(text: string): Promise<unknown> }): Promise<void> {
  try {
    await connection.query(
      'create table if not exists migration (number int primary key, name text not null, ran_at timestamptz not null default now())',
    )
  } catch (error) {
    // `if not exists` still races between two first starts: the loser meets the winner's row in the catalog (23505), or
    // the table itself a moment after it looked (42P07).
    const { code } = error as { code?: string }
    if (code !== '23505' && code !== '42P07') throw error
  }
}
