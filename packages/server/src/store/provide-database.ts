import pg from 'pg'
import { type Database, openDatabase } from './database.ts'
import { superviseEmbedded } from './embedded-supervisor.ts'

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
  /** The embedded server ended unasked: why it does not start again, or undefined once it runs. */
  readonly onServerEnded?: (problem: Error | undefined) => void
}

/** Opens the database of `databaseUrl`, or starts the embedded PostgreSQL in the data directory and opens its own. */
export async function provideDatabase(options: DatabaseProvision): Promise<ProvidedDatabase> {
  const common = { max: options.connections, onIdleError: options.onIdleError }
  if (options.databaseUrl !== undefined) {
    const db = openDatabase({ connection: options.databaseUrl, ...common })
    return { db, embedded: false, stop: () => db.close() }
  }
  const server = await superviseEmbedded(options.dataDir, {
    connections: options.connections,
    onEnded: (problem) => options.onServerEnded?.(problem),
  })
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
