import type { Queryable } from './database.ts'

/**
 * When the database server began to run. Another answer than before: it was started anew, or another one has taken its place,
 * and what was committed last may not be there.
 */
export async function serverStart(db: Queryable): Promise<string> {
  const [row] = await db.query<{ at: string }>('select pg_postmaster_start_time()::text as at')
  return row?.at ?? ''
}
