import type { Queryable, Statement } from '../store/database.ts'
import { batchIds, type Claim, type Instance } from './instance.ts'
import { findInstances } from './instance-read.ts'

/** Request ids: which claim an id belongs to, and what a repeat finds behind it. */

/** What became of a claim's request id; a claim without one is `mine`. */
export type Standing =
  | { readonly kind: 'mine' }
  | { readonly kind: 'other body' }
  /** It was answered before: these are its instances as they are now. */
  | { readonly kind: 'found'; readonly instances: readonly Instance[] }
  /** The first still waits in line, under this id. */
  | { readonly kind: 'join'; readonly waiterId: string; readonly count: number }

/** One pass in one order over new ids and those that are there: all are locked until the transaction ends. */
const register: Statement = {
  name: 'request-register',
  text: `insert into request as r (request_id, body_hash, instance_id, count, expires_at)
    select i.request_id, decode(i.body_hash, 'hex'), i.id, i.count, instance_now() + make_interval(secs => $2)
    from json_to_recordset($1) as i(request_id text, body_hash text, id text, count int) order by i.request_id
    on conflict (request_id) do update set request_id = r.request_id
    returning r.request_id, encode(r.body_hash, 'hex') as body_hash, r.instance_id, r.count,
      r.expires_at <= instance_now() as expired,
      -- not updated: the instance's id does not tell, a repeat with an id of the caller's choice has the same
      r.xmax = 0 as is_new`,
}

type RequestRow = {
  request_id: string
  body_hash: string
  instance_id: string
  count: number
  expired: boolean
  is_new: boolean
}

const waitersById: Statement = { name: 'request-waiters', text: 'select id from waiter where id = any($1)' }

const takeOver: Statement = {
  name: 'request-take-over',
  text: `update request r set instance_id = i.id, body_hash = decode(i.body_hash, 'hex'), count = i.count,
      expires_at = instance_now() + make_interval(secs => $2)
    from json_to_recordset($1) as i(request_id text, body_hash text, id text, count int) where r.request_id = i.request_id`,
}

const forget: Statement = {
  name: 'request-forget',
  text: `delete from request r using unnest($1::text[], $2::text[]) f(request_id, instance_id)
    where r.request_id = f.request_id and r.instance_id = f.instance_id`,
}

const input = (claims: readonly Claim[]) =>
  JSON.stringify(
    claims.map((claim) => ({
      request_id: claim.requestId,
      body_hash: claim.bodyHash,
      id: claim.id,
      count: claim.count,
    })),
  )

/**
 * Takes the claims' request ids, each at most once among them. An id behind which there is nothing (a process died before it
 * bound or enqueued, or it is older than is remembered) changes hands. The rows stay locked until the transaction ends:
 * what is made behind an id is made under this lock, so of two claims with one id exactly one goes on.
 */
export async function takeRequests(
  tx: Queryable,
  claims: readonly Claim[],
  requestSeconds: number,
): Promise<ReadonlyMap<Claim, Standing>> {
  const named = claims.filter((claim) => claim.requestId !== null)
  const standings = new Map<Claim, Standing>(claims.map((claim) => [claim, { kind: 'mine' }]))
  if (named.length === 0) return standings
  const rows = await tx.run<RequestRow>(register, [input(named), requestSeconds])
  const byRequest = new Map(rows.map((row) => [row.request_id, row]))
  const foreign = named.flatMap((claim) => {
    const row = byRequest.get(claim.requestId ?? '')
    return row === undefined || row.is_new ? [] : [{ claim, row }]
  })
  if (foreign.length === 0) return standings
  // A statement of its own: it sees what was committed while the rows were waited for.
  const firsts = foreign.map(({ row }) => row.instance_id)
  const waiting = new Set((await tx.run<{ id: string }>(waitersById, [firsts])).map(({ id }) => id))
  const ids = foreign.flatMap(({ row }) => batchIds(row.instance_id, row.count))
  const instances = new Map((await findInstances(tx, ids)).map((instance) => [instance.id, instance]))
  const free: Claim[] = []
  for (const { claim, row } of foreign) {
    const found = batchIds(row.instance_id, row.count).flatMap((id) => instances.get(id) ?? [])
    const isBehind = found.length > 0 || waiting.has(row.instance_id)
    if (!isBehind || row.expired) free.push(claim)
    else if (row.body_hash !== claim.bodyHash) standings.set(claim, { kind: 'other body' })
    else if (found.length > 0) standings.set(claim, { kind: 'found', instances: found })
    else standings.set(claim, { kind: 'join', waiterId: row.instance_id, count: row.count })
  }
  if (free.length > 0) await tx.run(takeOver, [input(free), requestSeconds])
  return standings
}

/** Frees the ids of claims that got nothing. */
export async function forgetRequests(tx: Queryable, claims: readonly Claim[]): Promise<void> {
  const named = claims.filter((claim) => claim.requestId !== null)
  if (named.length === 0) return
  await tx.run(forget, [named.map(({ requestId }) => requestId), named.map(({ id }) => id)])
}
