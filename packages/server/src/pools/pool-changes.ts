import { setTimeout as delay } from 'node:timers/promises'
import { type Database, withTimeout } from '../store/database.ts'

/** Pools that were changed by a request, by uid; `all` when it is not known which. */
export type ChangedPools = readonly string[] | 'all'

/**
 * Wakes whoever acts on pools: at once in this process, and in the other replicas through NOTIFY. Only a wake-up: the
 * rows are the truth, and whoever listens looks at all of them now and then.
 */
export type PoolChanges = {
  /** Tells everybody; call it after the commit. Never throws: a wake-up that is lost is made up for by the next look. */
  announce(uids: readonly string[]): void
  /** Calls `listener` after each change, from any replica while `listen` runs. Returns how to stop it. */
  onPoolsChanged(listener: (pools: ChangedPools) => void): () => void
  /** Hears the other replicas until `signal` aborts; holds one connection, and comes back when that breaks. */
  listen(signal: AbortSignal): Promise<void>
}

const channel = 'podyard_pool'
/** A NOTIFY carries 8,000 bytes at most; 200 uids take 7,800. */
const uidsPerNote = 200

const heartbeatMs = 15_000

const notify = { name: 'pool-notify', text: `select pg_notify('${channel}', $1)` }

/** `origin` names this process: its own wake-ups are not heard twice. */
export function createPoolChanges(db: Database, origin: string): PoolChanges {
  const listeners = new Set<(pools: ChangedPools) => void>()
  let pending = new Set<string>()
  let sending = false
  const tell = (pools: ChangedPools) => {
    for (const listener of [...listeners]) listener(pools)
  }

  /** One NOTIFY at a time; what is announced meanwhile goes with the next. */
  async function send(): Promise<void> {
    sending = true
    try {
      while (pending.size > 0) {
        const uids = [...pending]
        pending = new Set()
        await db.run(notify, [JSON.stringify([origin, uids.length > uidsPerNote ? 'all' : uids])])
      }
    } catch {
      pending = new Set()
    } finally {
      sending = false
    }
  }

  return {
    announce(uids) {
      if (uids.length === 0) return
      tell(uids)
      for (const uid of uids) pending.add(uid)
      if (!sending) void send()
    },
    onPoolsChanged(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async listen(signal) {
      for (let failures = 0; !signal.aborted; failures += 1) {
        try {
          await db.withConnection((connection) => {
            const { promise, reject } = Promise.withResolvers<void>()
            connection.on('error', reject)
            connection.on('end', () => reject(new Error('the connection ended')))
            connection.on('notification', (note) => {
              const pools = readNote(note.payload, origin)
              if (pools !== undefined) tell(pools)
            })
            // A failure, so that the connection does not go back to the pool: it still listens.
            const stop = () => reject(new Error('aborted'))
            signal.addEventListener('abort', stop)
            // Nothing is ever said on a connection whose other end went without a word.
            const heartbeat = setInterval(
              () => connection.query(withTimeout('select 1', heartbeatMs)).catch(reject),
              heartbeatMs,
            )
            connection.query(`listen ${channel}`).then(() => {
              failures = 0
              // Whatever was said before we listened.
              tell('all')
            }, reject)
            if (signal.aborted) stop()
            return promise.finally(() => {
              clearInterval(heartbeat)
              signal.removeEventListener('abort', stop)
            })
          })
        } catch {
          // Another one is opened below.
        }
        const wait = Math.min(5_000, 50 * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2)
        await delay(wait, undefined, { signal }).catch(() => {})
      }
    },
  }
}

function readNote(payload: string | undefined, origin: string): ChangedPools | undefined {
  const [from, pools] = JSON.parse(payload ?? '[]') as [string?, ChangedPools?]
  return from === origin || pools === undefined ? undefined : pools
}
