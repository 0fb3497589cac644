import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase } from '../../packages/server/src/store/database.ts'
import { packageNative, prepareRuntime, startEmbedded } from '../../packages/server/src/store/embedded-postgres.ts'

/** A PostgreSQL of the test's own, for processes that get it as `--database-url`. */
export type TestPostgres = {
  readonly url: string
  /** Rows of one query. */
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>
  stop(): Promise<void>
}

export async function startPostgres(): Promise<TestPostgres> {
  const runtime = await prepareRuntime(packageNative(), join(tmpdir(), 'podyard-postgres-18.4'))
  const dir = await mkdtemp(join(tmpdir(), 'podyard-e2e-pg-'))
  // Run as root, the server is another user's process.
  await chmod(dir, 0o755)
  // Only Podyard is killed: nothing is lost by what the disk has not got yet.
  const settings = { fsync: 'off', synchronous_commit: 'off', max_connections: '100' }
  const server = await startEmbedded(join(dir, 'pg'), { runtime, settings })
  const at = { host: server.socketDir, port: server.port, user: 'podyard' }
  const admin = openDatabase({ connection: { ...at, database: 'postgres' }, max: 1 })
  await admin.query('create database podyard')
  await admin.close()
  const db = openDatabase({ connection: { ...at, database: 'podyard' }, max: 4 })
  return {
    url: `postgres://podyard@localhost:${server.port}/podyard?host=${encodeURIComponent(server.socketDir)}`,
    query: db.query,
    async stop() {
      await db.close()
      await server.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
