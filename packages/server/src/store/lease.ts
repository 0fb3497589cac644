import type { Database, Transaction } from './database.ts'
import { inTransaction } from './transaction.ts'

/**
 * Who runs the controllers: one row per lease, taken over when it lapses. `epoch` grows with each new holder and fences
 * the writes of an old one. `seconds` is its term. Times are the database's own.
 */
export type Lease = {
  readonly name: string
  readonly holder: string
  readonly epoch: number
  readonly seconds: number
}

/**
 * A fence is a key share lock: a renewal (no key update) passes by the holder's own transactions, however long they are,
 * and a takeover (for update) waits until those of the old holder have ended.
 */
const acquire = {
  name: 'lease-acquire',
  text: `with lapsed as materialized (
      select from lease where name = $1 and holder <> $2 and (expires_at < clock_timestamp() or $4::bool) for update
    )
    insert into lease (name, holder, epoch, expires_at)
    values ($1, $2, 1, clock_timestamp() + make_interval(secs => $3::float8))
    on conflict (name) do update set
      epoch = lease.epoch + case when lease.holder = excluded.holder then 0 else 1 end,
      holder = excluded.holder,
      expires_at = clock_timestamp() + make_interval(secs => $3::float8)
    where lease.holder = excluded.holder or exists (select from lapsed)
    returning name, holder, epoch, $3::float8 as seconds`,
}

const release = {
  name: 'lease-release',
  text: `update lease set expires_at = '-infinity' where name = $1 and holder = $2 and epoch = $3`,
}

/**
 * With the transaction's own limit of idleness, in milliseconds: a holder that is cut off in the middle of it would keep
 * the row, and with it every other replica waiting, for as long as the server believes in the connection.
 */
const fence = {
  name: 'lease-fence',
  text: `select set_config('idle_in_transaction_session_timeout', $4, true) from lease
    where name = $1 and holder = $2 and epoch = $3 for key share`,
}

/**
 * Takes, keeps or renews the lease; undefined while another holder's has not lapsed. `force` takes it in any case: for a
 * process that knows that the holder is dead.
 */
export async function acquireLease(
  db: Database,
  name: string,
  holder: string,
  seconds: number,
  options: { readonly force?: boolean } = {},
): Promise<Lease | undefined> {
  const [row] = await db.run<Lease>(acquire, [name, holder, seconds, options.force ?? false])
  return row
}

/** Gives the lease up at once, so that the next holder need not wait for it to lapse. */
export async function releaseLease(db: Database, lease: Lease): Promise<void> {
  await db.run(release, [lease.name, lease.holder, lease.epoch])
}

/** The lease went to somebody else: whatever was being done must stop, nothing of it was written. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost'
}

/**
 * A transaction that only commits while `lease` is still ours. Without a lease it is an ordinary one (single-process
 * tests). The server ends it when nothing is heard of us for a whole term between two statements; it may take longer than
 * that all the same.
 */
export function inFencedTransaction<T>(
  db: Database,
  lease: Lease | undefined,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  return inTransaction(db, async (tx) => {
    if (lease !== undefined) {
      const idleMs = Math.ceil(lease.seconds * 1000)
      const [held] = await tx.run(fence, [lease.name, lease.holder, lease.epoch, String(idleMs)])
      if (held === undefined) throw new LeaseLost(`the lease ${lease.name} went to another holder`)
    }
    return work(tx)
  })
}
