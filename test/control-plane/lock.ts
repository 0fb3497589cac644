import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * Does the work while no other process does any under the same lock. The lock is the one that SQLite takes on its file:
 * the operating system frees it when its holder ends, however it ends, so there is no stale lock to judge. The file stays,
 * empty.
 *
 * @param options.waiting called once when somebody else holds it
 */
export async function withLock<T>(
  path: string,
  options: { readonly waiting?: (() => void) | undefined; readonly signal?: AbortSignal | undefined },
  work: () => Promise<T>,
): Promise<T> {
  const database = new DatabaseSync(path)
  try {
    database.exec('pragma busy_timeout = 0')
    for (let tries = 0; !tryLock(database); tries += 1) {
      if (tries === 0) options.waiting?.()
      await delay(100, undefined, { signal: options.signal })
    }
    return await work()
  } finally {
    database.close()
  }
}

/** SQLITE_BUSY, https://www.sqlite.org/rescode.html#busy */
const busy = 5

function tryLock(database: DatabaseSync): boolean {
  try {
    database.exec('begin exclusive')
    return true
  } catch (error) {
    if ((error as { errcode?: unknown }).errcode === busy) return false
    throw error
  }
}
