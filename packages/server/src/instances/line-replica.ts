import { setTimeout as delay } from 'node:timers/promises'
import { type Database, withTimeout } from '../store/database.ts'

const heartbeatMs = 15_000

/**
 * Hears which waiters of this process others have bound, until the signal aborts; holds one connection and comes back when
 * that breaks. `onConnected` is called each time: whatever was said before was not heard.
 */
export async function hearBound(
  db: Database,
  replica: string,
  on: { readonly bound: (waiterIds: readonly string[]) => void; readonly connected: () => void },
  signal: AbortSignal,
): Promise<void> {
  for (let failures = 0; !signal.aborted; failures += 1) {
    try {
      await db.withConnection((connection) => {
        const { promise, reject } = Promise.withResolvers<void>()
        const stop = () => reject(new Error('aborted'))
        connection.on('error', reject)
        connection.on('end', () => reject(new Error('the connection ended')))
        connection.on('notification', (note) => on.bound(JSON.parse(note.payload ?? '[]') as string[]))
        signal.addEventListener('abort', stop)
        const heartbeat = setInterval(
          () => connection.query(withTimeout('select 1', heartbeatMs)).catch(reject),
          heartbeatMs,
        )
        connection.query(`listen "podyard_claim_${replica}"`).then(() => {
          failures = 0
          on.connected()
        }, reject)
        if (signal.aborted) stop()
        return promise.finally(() => {
          clearInterval(heartbeat)
          signal.removeEventListener('abort', stop)
        })
      })
    } catch {
      // Another connection is opened below.
    }
    const wait = Math.min(5_000, 50 * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2)
    await delay(wait, undefined, { signal }).catch(() => {})
  }
}
