import pg from 'pg'
import { type AppError, storageUnavailable } from '../errors.ts'

// bigint columns hold ids, counters and Unix seconds, all below 2^53 (bodies with larger integers are refused).
pg.types.setTypeParser(pg.types.builtins.INT8, (text) => Number(text))

/** A named statement: prepared once per connection. Its file says what it does and what it costs. */
export type Statement = { readonly name: string; readonly text: string }

/** Anything that runs a statement: the pool for a single one, a transaction for several that belong together. */
export type Queryable = {
  /** Rows of one prepared statement. */
  run<Row extends object = Record<string, unknown>>(statement: Statement, values?: readonly unknown[]): Promise<Row[]>
  /** Rows of SQL that is built at run time (filters): not prepared. */
  query<Row extends object = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row[]>
}

export type Transaction = Queryable & { readonly kind: 'transaction' }

export type Database = Queryable & {
  readonly kind: 'database'
  readonly pool: pg.Pool
  /** Rows of SQL that is built at run time as the server's texts by column, unparsed: for rows that go on as text. */
  texts(text: string, values?: readonly unknown[]): Promise<(string | null)[][]>
  /** Runs `work` on one connection of its own; use it for LISTEN or for settings that must not leak into the pool. */
  withConnection<T>(work: (connection: pg.PoolClient) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export type DatabaseOptions = {
  /** libpq URL, or a socket directory with a port. */
  readonly connection:
    | string
    | { readonly host: string; readonly port: number; readonly database: string; readonly user: string }
  /** Connections at most. */
  readonly max?: number
  /** Milliseconds to wait for a connection before the request fails with "storage is unavailable". */
  readonly connectTimeoutMs?: number
  /** Milliseconds after which the server ends a statement. 0: never. */
  readonly statementTimeoutMs?: number
  /** Milliseconds after which the server ends a transaction in which no statement comes. 0: never. Default 15,000. */
  readonly idleInTransactionTimeoutMs?: number
  /** Settings of every connection, as `-c name=value`. */
  readonly session?: string
  /** Told about connections that broke while idle; they are replaced by themselves. */
  readonly onIdleError?: (error: Error) => void
}

/** Beyond the server's own timeout: a server that is silent for longer is not there, whatever its connection says. */
const silenceMs = 5_000

/**
 * How the server finds out that we are gone without a word, where it would wait for two hours: a probe after 10 s of
 * silence, three of them, and 20 s for what it has sent. No effect on Unix sockets. A URL's own `options` take their place.
 */
const farewell = [
  'tcp_keepalives_idle=10',
  'tcp_keepalives_interval=5',
  'tcp_keepalives_count=3',
  'tcp_user_timeout=20000',
]
  .map((setting) => `-c ${setting}`)
  .join(' ')

export function openDatabase(options: DatabaseOptions): Database {
  const statementTimeoutMs = options.statementTimeoutMs ?? 60_000
  const pool = new pg.Pool({
    ...(typeof options.connection === 'string' ? { connectionString: options.connection } : options.connection),
    max: options.max ?? 10,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    statement_timeout: statementTimeoutMs,
    // A connection whose other end is gone without a word (a cut network, a firewall) would be waited on for ever. A URL
    // may name another time (`?query_timeout=`).
    ...(statementTimeoutMs === 0 ? {} : { query_timeout: statementTimeoutMs + silenceMs }),
    // Nothing outside the database is waited for inside a transaction: whoever is silent in one for as long is cut off, and
    // must not keep what it has locked from the other replicas.
    idle_in_transaction_session_timeout: options.idleInTransactionTimeoutMs ?? 15_000,
    options: options.session === undefined ? farewell : `${farewell} ${options.session}`,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    application_name: 'podyard',
  })
  pool.on('error', (error) => options.onIdleError?.(error))
  // The pool listens while a connection is idle, the transaction while it has it. A server that says farewell (57P01) while
  // a connection is being thrown away would find nobody listening, and end the process.
  pool.on('connect', (client) => client.on('error', () => {}))
  return {
    kind: 'database',
    pool,
    run: (statement, values) => runOn(pool, statement, values),
    query: (text, values) => queryOn(pool, text, values),
    texts: (text, values) => textsOn(pool, text, values),
    async withConnection(work) {
      const connection = await connect(pool)
      let broken = true
      try {
        const result = await work(connection)
        broken = false
        return result
      } finally {
        connection.release(broken)
      }
    },
    close: () => pool.end(),
  }
}

/** A pooled connection; a failure to get one is "storage is unavailable". */
export async function connect(pool: pg.Pool): Promise<pg.PoolClient> {
  try {
    return await pool.connect()
  } catch (error) {
    throw storageUnavailable(error)
  }
}

/** A statement that is given up after so many milliseconds without an answer; pg knows that, its types do not. */
export function withTimeout(text: string, milliseconds: number): pg.QueryConfig {
  return { text, query_timeout: milliseconds } as pg.QueryConfig
}

type Client = { query(config: pg.QueryConfig): Promise<pg.QueryResult> }

export async function runOn<Row extends object>(
  client: Client,
  statement: Statement,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  try {
    const result = await client.query({ name: statement.name, text: statement.text, values: values as unknown[] })
    return result.rows as Row[]
  } catch (error) {
    throw translate(error)
  }
}

export async function queryOn<Row extends object>(
  client: Client,
  text: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  try {
    const result = await client.query({ text, values: values as unknown[] })
    return result.rows as Row[]
  } catch (error) {
    throw translate(error)
  }
}

const unparsed: pg.CustomTypesConfig = { getTypeParser: () => (text: string) => text }

async function textsOn(client: Client, text: string, values: readonly unknown[] = []): Promise<(string | null)[][]> {
  try {
    const config: pg.QueryArrayConfig = { text, values: values as unknown[], rowMode: 'array', types: unparsed }
    return (await client.query(config)).rows
  } catch (error) {
    throw translate(error)
  }
}

/** A unique index refused a row. The capability knows what its constraint means to the client. */
export class UniqueViolation extends Error {
  override readonly name = 'UniqueViolation'
  readonly constraint: string
  /** PostgreSQL's own text, such as `Key (cluster_id, name)=(1, node1) already exists.` */
  readonly detail: string
  constructor(constraint: string, detail: string, cause: unknown) {
    super(`unique constraint ${constraint}: ${detail}`, { cause })
    this.constraint = constraint
    this.detail = detail
  }
}

/** The transaction lost a race (serialization failure or deadlock): running it again is right. */
export class TransactionRace extends Error {
  override readonly name = 'TransactionRace'
}

/** Database errors become ours once, here. What is not known stays as it is: a defect. */
export function translate(error: unknown): Error | AppError {
  const e = error as { code?: string; constraint?: string; detail?: string; message?: string }
  if (e.code === '23505') return new UniqueViolation(e.constraint ?? '', e.detail ?? '', error)
  if (e.code === '40001' || e.code === '40P01') return new TransactionRace(e.message ?? 'race', { cause: error })
  if (isUnavailable(error)) return storageUnavailable(error)
  return error instanceof Error ? error : new Error(String(error))
}

const socketCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EACCES',
])

/** Whether the database is gone (as opposed to: it refused this statement). */
export function isUnavailable(error: unknown): boolean {
  const e = error as { code?: string; message?: string }
  if (typeof e?.code === 'string') {
    if (socketCodes.has(e.code)) return true
    // 08: connection; 57P01-57P05: shutdown, crash, starting, database dropped, idle timeout; 57014: statement timeout;
    // 53300: too many connections; 25006: read-only standby; 25P03, 25P04: a transaction was idle or took too long.
    if (/^(08|57P0|57014|53300|25006|25P03|25P04)/.test(e.code)) return true
  }
  // pg gives these without a code.
  return /Query read timeout|Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error/.test(
    e?.message ?? '',
  )
}
