import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, inject } from 'vitest'
import { type Database, openDatabase } from '../../src/store/database.ts'

/** A database of this test file's own, made from the migrated template and dropped afterwards. Use `.db` inside tests. */
export function useDatabase(options: { readonly max?: number } = {}): { readonly db: Database; readonly name: string } {
  const name = `t_${randomBytes(6).toString('hex')}`
  const state = { db: undefined as unknown as Database, name }
  beforeAll(async () => {
    await admin(`create database ${name} template t0`)
    // Tests hold transactions open for as long as they like.
    state.db = openDatabase({
      connection: connectionTo(name),
      max: options.max ?? 6,
      idleInTransactionTimeoutMs: 300_000,
    })
  })
  afterAll(async () => {
    await state.db?.close()
    await dropDatabase(name)
  })
  return state
}

/** Connection settings of a database on the test server. */
export function connectionTo(database: string) {
  return { ...inject('postgres'), user: 'podyard', database }
}

/** Runs one statement as administrator of the test server. */
export async function admin(sql: string): Promise<void> {
  const client = new pg.Client(connectionTo('postgres'))
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

/** pool.end() resolves before its sockets have closed; forcing the drop would kill them and surface as an uncaught error. */
export async function dropDatabase(name: string): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await admin(`drop database if exists ${name}`)
    } catch (error) {
      if ((error as { code?: string }).code !== '55006' || tries > 200) throw error
    }
    await delay(10)
  }
}
