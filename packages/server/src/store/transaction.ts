import { setTimeout as delay } from 'node:timers/promises'
import {
  connect,
  type Database,
  queryOn,
  runOn,
  type Transaction,
  TransactionRace,
  translate,
  withTimeout,
} from './database.ts'

/**
 * Runs `work` in one transaction: commits when it returns, rolls back when it throws. A lost race (40001, 40P01) runs it
 * again, three times in all; so `work` must not do anything outside the database.
 */
export async function inTransaction<T>(db: Database, work: (tx: Transaction) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await once(db, work)
    } catch (error) {
      if (!(error instanceof TransactionRace) || attempt >= 3) throw error
      await delay(Math.random() * 20 * attempt)
    }
  }
}

const rollbackTimeoutMs = 5_000

async function once<T>(db: Database, work: (tx: Transaction) => Promise<T>): Promise<T> {
  const connection = await connect(db.pool)
  // Without a listener an error between two statements (the server went away) would be uncaught.
  let gone: Error | undefined
  const onError = (error: Error) => {
    gone = error
  }
  connection.on('error', onError)
  let usable = true
  try {
    await queryOn(connection, 'begin')
    const result = await work({
      kind: 'transaction',
      run: (statement, values) => runOn(connection, statement, values),
      query: (text, values) => queryOn(connection, text, values),
    })
    await queryOn(connection, 'commit')
    return result
  } catch (error) {
    if (gone === undefined) {
      // Behind a statement that nobody answers it would wait as long again.
      await connection.query(withTimeout('rollback', rollbackTimeoutMs)).catch(() => {
        usable = false
      })
    }
    throw gone === undefined ? error : translate(gone)
  } finally {
    connection.off('error', onError)
    connection.release(gone !== undefined || !usable)
  }
}
