import { type Database, type DatabaseOptions, openDatabase } from './database.ts'

/**
 * Connections of one's own to the same database, with session settings (`-c name=value`) of their own. They stay open
 * while they are idle.
 */
export function openSibling(
  db: Database,
  options: { readonly max: number; readonly session: string; readonly onIdleError?: (error: Error) => void },
): Database {
  // The password is not enumerable there.
  const { password } = db.pool.options
  const connection = {
    ...db.pool.options,
    ...(password === undefined ? {} : { password }),
    idleTimeoutMillis: 0,
  }
  return openDatabase({
    connection: connection as unknown as Exclude<DatabaseOptions['connection'], string>,
    max: options.max,
    session: options.session,
    ...(options.onIdleError === undefined ? {} : { onIdleError: options.onIdleError }),
  })
}
