import { setTimeout as delay } from 'node:timers/promises'
import { type Database, withTimeout } from '../store/database.ts'

/** Pools that were changed by a request, by uid; `all` when it is not known which. */
export type ChangedPools = readonly string[] | 'all'

/** Work that waits for the controller in a table: pods to delete in `retired`, scale-up steps that are wanted in `line`. */
export type PoolWork = 'retired' | 'steps'

/**
 * Wakes whoever acts on pools: at once in this process, and in the other replicas through NOTIFY. Only a wake-up: the
 * rows are the truth, and whoever listens looks at all of them now and then.
 */
export type PoolChanges = {
  /** Tells everybody; call it after the commit. Never throws: a wake-up that is lost is made up for by the next look. */
  announce(uids: readonly string[]): void
  /** Calls `listener` after each change, from any replica while `listen` runs. Returns how to stop it. */
  onPoolsChanged(listener: (pools: ChangedPools) => void): () => void
  /** Tells whoever runs the controller that work waits; as `announce`, and as cheap as can be when called often. */
  announceWork(work: PoolWork): void
  /** As `onPoolsChanged`. */
  onWork(listener: (work: PoolWork) => void): () => void
  /** Hears the other replicas until `signal` aborts; holds one connection, and comes back when that breaks. */
  listen(signal: AbortSignal): Promise<void>
}

const channel = 'podyard_pool'
/** A NOTIFY carries 8,000 bytes at most; 200 uids take 7,800. */
const uidsPerNote = 200

const heartbeatMs = 15_000
/** Between two NOTIFY of one process: claims and releases by the hundred are a few of them. */
const restMs = 10

const notify = { name: 'pool-notify', text: `select pg_notify('${channel}', $1)` }

/** `origin` names this process: its own wake-ups are not heard twice. */
export function createPoolChanges(db: Database, origin: string): PoolChanges {
  const listeners = new Set<(pools: ChangedPools) => void>()
  const workListeners = new Set<(work: PoolWork) => void>()
  let pending = new Set<string>()
  let pendingWork = new Set<PoolWork>()
  let sending = false
  const tell = (pools: ChangedPools) => {
    for (const listener of [...listeners]) listener(pools)
  }
  const tellWork = (work: PoolWork) => {
    for (const listener of [...workListeners]) listener(work)
  }

  /** One NOTIFY at a time; what is announced meanwhile goes with the next. */
  async function send(): Promise<void> {
    sending = true
    try {
      while (pending.size > 0 || pendingWork.size > 0) {
        const uids = [...pending]
        const work = [...pendingWork]
        pending = new Set()
        pendingWork = new Set()
        await db.run(notify, [JSON.stringify([origin, uids.length > uidsPerNote ? 'all' : uids, work])])
        await delay(restMs)
      }
    } catch {
      pending = new Set()
      pendingWork = new Set()
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
    announceWork(work) {
      tellWork(work)
      pendingWork.add(work)
      if (!sending) void send()
    },
    onWork(listener) {
      workListeners.add(listener)
      return () => workListeners.delete(listener)
    },
    async listen(signal) {
      for (let failures = 0; !signal.aborted; failures += 1) {
        try {
          await db.withConnection((connection) => {
            const { promise, reject } = Promise.withResolvers<void>()
            connection.on('error', reject)
            connection.on('end', () => reject(new Error('the connection ended')))
            connection.on('notification', (note) => {
              const heard = readNote(note.payload, origin)
              if (heard === undefined) return
              if (heard.pools.length > 0) tell(heard.pools)
              for (const work of heard.work) tellWork(work)
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
              for (const work of ['retired', 'steps'] as const) tellWork(work)
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

type Note = { readonly pools: ChangedPools; readonly work: readonly PoolWork[] }

function readNote(payload: string | undefined, origin: string): Note | undefined {
  const [from, pools, work = []] = JSON.parse(payload ?? '[]') as [string?, ChangedPools?, PoolWork[]?]
  return from === origin || pools === undefined ? undefined : { pools, work }
}
