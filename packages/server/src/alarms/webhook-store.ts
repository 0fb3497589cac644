import type { Queryable } from '../store/database.ts'

/** The table `webhook_outbox`: messages that wait to be delivered. */

export type Message = {
  readonly id: number
  readonly message_id: string
  readonly body: string
  readonly attempts: number
  /** Milliseconds since it was written. */
  readonly age_ms: number
}

/** Messages that wait at most: a receiver that is away for long must not fill the database. */
const maxWaiting = 10_000

const insert = {
  name: 'webhook-insert',
  text: `insert into webhook_outbox (message_id, body)
    select id, body from unnest($1::text[], $2::text[]) as i(id, body)
    where (select count(*) from webhook_outbox) < ${maxWaiting} returning 1`,
}

/** Puts messages in, to be sent at once; how many of them, as there may be too many already. */
export async function addMessages(
  tx: Queryable,
  messages: readonly { readonly id: string; readonly body: string }[],
): Promise<number> {
  if (messages.length === 0) return 0
  return (await tx.run(insert, [messages.map(({ id }) => id), messages.map(({ body }) => body)])).length
}

const due = {
  name: 'webhook-due',
  text: `select id, message_id, body, attempts, extract(epoch from now() - created_at)::float8 * 1000 as age_ms
    from webhook_outbox where next_at <= now() order by id limit $1`,
}

/** Those whose time has come, oldest first. */
export function dueMessages(db: Queryable, limit: number): Promise<Message[]> {
  return db.run<Message>(due, [limit])
}

const remove = { name: 'webhook-remove', text: 'delete from webhook_outbox where id = $1' }

/** It was delivered, or given up. */
export async function removeMessage(db: Queryable, id: number): Promise<void> {
  await db.run(remove, [id])
}

const retry = {
  name: 'webhook-retry',
  text: `update webhook_outbox set attempts = attempts + 1, next_at = now() + make_interval(secs => $2::float8 / 1000)
    where id = $1`,
}

export async function retryMessage(db: Queryable, id: number, afterMs: number): Promise<void> {
  await db.run(retry, [id, afterMs])
}

const waiting = { name: 'webhook-waiting', text: 'select count(*) as n from webhook_outbox' }

export async function countMessages(db: Queryable): Promise<number> {
  const [row] = await db.run<{ n: number }>(waiting)
  return row?.n ?? 0
}
