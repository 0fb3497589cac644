import { totalmem } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Embedded, packageNative, packageVersion, prepareRuntime, startEmbedded } from './embedded-postgres.ts'

export type SupervisedOptions = {
  /** Connections that Podyard opens at most. */
  readonly connections: number
  /** The server ended unasked; `undefined` once it runs again, else why it does not start. */
  readonly onEnded: (problem: Error | undefined) => void
}

/**
 * Modest on purpose: the server shares two cores and a few GB with Podyard and whatever else runs there. Every commit
 * is synced (PostgreSQL's default stays). Bulk writes come in bursts, so checkpoints are far apart and spread.
 */
function serverSettings(connections: number): Record<string, string> {
  return {
    max_connections: String(connections + 20),
    shared_buffers: `${sharedBuffersMiB(memoryBytes())}MB`,
    effective_cache_size: '1GB',
    work_mem: '16MB',
    maintenance_work_mem: '128MB',
    wal_buffers: '16MB',
    min_wal_size: '256MB',
    max_wal_size: '2GB',
    checkpoint_timeout: '15min',
    random_page_cost: '1.1',
    // Statements are short: compiling them costs more than it saves, and parallel workers only take the other core
    // (and, in containers, the 64 MB of /dev/shm).
    jit: 'off',
    max_parallel_workers_per_gather: '0',
    // A Podyard that was killed in the middle of a long statement must not hold its locks until that ends.
    client_connection_check_interval: '1s',
    // Refused statements are Podyard's to report; their texts hold clients' data and would fill the log.
    log_min_messages: 'log',
    log_checkpoints: 'off',
    log_line_prefix: '%m [%p] ',
  }
}

/**
 * A sixteenth of the machine's (or the container's) memory; it takes no more of it than there is data. A page that is not in
 * there costs 5 us even where the system still has it: a list by label among a million pods took 12 ms with 256 MiB, 6 ms
 * with 1.5 GiB.
 */
export function sharedBuffersMiB(memory: number): number {
  return Math.min(2_048, Math.max(128, Math.floor(memory / 16 / 2 ** 20)))
}

function memoryBytes(): number {
  const limit = process.constrainedMemory()
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}

/** The embedded server of a data directory, started again whenever it ends unasked, at the same socket. */
export async function superviseEmbedded(dataDir: string, options: SupervisedOptions): Promise<Embedded> {
  const native = packageNative()
  const runtime = await prepareRuntime(native, join(dataDir, 'runtime', `postgresql-${await packageVersion(native)}`))
  const settings = serverSettings(options.connections)
  const first = await startEmbedded(join(dataDir, 'postgres'), { runtime, settings, replaceDifferent: true })
  const stopping = new AbortController()
  let current = first

  const keepRunning = async () => {
    while (!stopping.signal.aborted) {
      await Promise.race([current.ended, aborted(stopping.signal)])
      for (let waitMs = 100; !stopping.signal.aborted; waitMs = Math.min(waitMs * 2, 5_000)) {
        try {
          current = await startEmbedded(join(dataDir, 'postgres'), { runtime, settings, socketDir: first.socketDir })
          options.onEnded(undefined)
          break
        } catch (error) {
          options.onEnded(error as Error)
          await delay(waitMs, undefined, { signal: stopping.signal }).catch(() => {})
        }
      }
    }
  }
  const running = keepRunning()
  return {
    socketDir: first.socketDir,
    port: first.port,
    adopted: first.adopted,
    get pid() {
      return current.pid
    },
    ended: new Promise(() => {}),
    async stop() {
      stopping.abort()
      await running
      await current.stop()
    },
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
