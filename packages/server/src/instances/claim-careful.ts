import type { Database, Queryable, Statement } from '../store/database.ts'
import { inTransaction } from '../store/transaction.ts'
import { type FreePod, type Placement, type PoolFacts, place } from './claim-plan.ts'
import { lockFreePods, lockSharedPods, peekFreePods, readHeld, readPools, type Size } from './claim-reads.ts'
import { isOpen, refuse, whyNothing } from './claim-refusal.ts'
import { bindPlacement } from './claim-writes.ts'
import { batchIds, type Claim, type Instance, type Refusal } from './instance.ts'
import { enqueueClaims } from './line-store.ts'
import { forgetRequests, takeRequests } from './requests.ts'

/**
 * Every claim that is not one ready pod of one pool at once: shared, batches, groups and labels, chosen ids, request ids that
 * were seen before, and whatever must wait. One transaction binds, enqueues or refuses; four to six round trips.
 */

export type CarefulResult =
  | { readonly kind: 'bound'; readonly instances: readonly Instance[]; readonly isRepeat: boolean }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** In line; `isOwn`: by this call. */
  | { readonly kind: 'waits'; readonly waiterId: string; readonly count: number; readonly isOwn: boolean }

export type CarefulSettings = {
  readonly replica: string
  readonly requestSeconds: number
  readonly lineLimit: number
  readonly tenantAffinity: boolean
}

export type CarefulOutcome = {
  /** One per claim, in their order. */
  readonly results: readonly CarefulResult[]
  /** Pools whose line got longer. */
  readonly enqueuedIn: readonly number[]
  readonly wantsStep: boolean
}

/** Two claims with one chosen id go one after the other. */
const lockIds: Statement = {
  name: 'claim-lock-ids',
  text: `select pg_advisory_xact_lock(hashtextextended(id, 0)) from (select unnest($1::text[]) as id order by 1) ids`,
}

const takenIds: Statement = {
  name: 'claim-taken-ids',
  text: `select id from unnest($1::text[]) c(id) where exists (select from instance i where i.id = c.id)
    or exists (select from waiter w where w.id = c.id) or exists (select from instance_past p where p.id = c.id)`,
}

/** Claims of one selector and one policy, no request id twice among them. */
export function claimCarefully(
  db: Database,
  claims: readonly Claim[],
  settings: CarefulSettings,
): Promise<CarefulOutcome> {
  return inTransaction(db, async (tx) => {
    const chosen = claims.filter((claim) => claim.isChosen).map(({ id }) => id)
    if (chosen.length > 0) await tx.run(lockIds, [chosen])
    const results = new Map<Claim, CarefulResult>()
    for (const [claim, standing] of await takeRequests(tx, claims, settings.requestSeconds)) {
      if (standing.kind === 'other body') results.set(claim, refused({ kind: 'other body' }))
      if (standing.kind === 'found')
        results.set(claim, { kind: 'bound', instances: standing.instances, isRepeat: true })
      if (standing.kind === 'join')
        results.set(claim, { kind: 'waits', waiterId: standing.waiterId, count: standing.count, isOwn: false })
    }
    const undecided = () => claims.filter((claim) => !results.has(claim))
    if (chosen.length > 0) {
      const taken = new Set((await tx.run<{ id: string }>(takenIds, [chosen])).map(({ id }) => id))
      for (const claim of undecided())
        if (claim.isChosen && taken.has(claim.id)) results.set(claim, refused({ kind: 'taken' }))
    }

    let queued: readonly Claim[] = []
    let pools: readonly PoolFacts[] = []
    const [first] = undecided()
    if (first !== undefined) {
      pools = await readPools(tx, first.selector)
      for (const claim of undecided()) {
        const refusal = refuse(claim, pools, Number.POSITIVE_INFINITY)
        if (refusal !== undefined) results.set(claim, refused(refusal))
      }
      const placement = await findPlaces(tx, undecided(), pools.filter(isOpen), settings)
      for (const [claim, instances] of await bind(tx, placement, settings))
        results.set(claim, { kind: 'bound', instances, isRepeat: false })
      queued = await queueOrRefuse(tx, placement.unplaced, pools, results, settings)
    }
    await forgetRequests(
      tx,
      claims.filter((claim) => isRefusedAnew(results.get(claim))),
    )
    return {
      results: claims.map((claim) => results.get(claim) as CarefulResult),
      enqueuedIn: queued.length > 0 ? pools.filter(isOpen).map(({ id }) => id) : [],
      wantsStep: queued.some(({ selector }) => selector.kind === 'pool') && pools.some(({ isScalable }) => isScalable),
    }
  })
}

const refused = (refusal: Refusal): CarefulResult => ({ kind: 'refused', refusal })

/** Not those whose request id is another claim's. */
const isRefusedAnew = (result: CarefulResult | undefined) =>
  result?.kind === 'refused' && result.refusal.kind !== 'other body'

async function queueOrRefuse(
  tx: Queryable,
  unplaced: readonly Claim[],
  pools: readonly PoolFacts[],
  results: Map<Claim, CarefulResult>,
  settings: CarefulSettings,
): Promise<readonly Claim[]> {
  const queued: Claim[] = []
  let held: Awaited<ReturnType<typeof readHeld>> | undefined
  for (const claim of unplaced) {
    // Those before it in this group are in the line as well.
    const refusal = refuse(claim, pools, settings.lineLimit - queued.length)
    if (refusal !== undefined) results.set(claim, refused(refusal))
    else if (claim.timeoutMs > 0) queued.push(claim)
    else {
      held ??= await readHeld(tx, pools)
      results.set(claim, refused({ kind: 'timeout', reason: whyNothing(held) }))
    }
  }
  if (queued.length === 0) return queued
  await enqueueClaims(tx, settings.replica, queued, pools)
  for (const claim of queued) results.set(claim, { kind: 'waits', waiterId: claim.id, count: claim.count, isOwn: true })
  return queued
}

/** Locks what the claims may take, and places them. Nobody overtakes a line: its pools have nothing for these claims. */
export async function findPlaces(
  tx: Queryable,
  claims: readonly Claim[],
  pools: readonly PoolFacts[],
  settings: Pick<CarefulSettings, 'tenantAffinity'>,
  options: { readonly inOrder?: boolean; readonly ofLine?: boolean; readonly mayTakeReady?: boolean } = {},
): Promise<Placement> {
  const { tenantAffinity } = settings
  const inOrder = options.inOrder ?? false
  const isFree = (pool: PoolFacts) => options.ofLine === true || (!pool.hasExclusiveLine && !pool.hasSharedLine)
  const open = options.mayTakeReady === false ? [] : pools.filter(isFree).map(({ id }) => id)
  const needed = claims.reduce((sum, { count }) => sum + count, 0)
  if (needed === 0 || pools.length === 0) return { bindings: [], taken: [], unplaced: claims }
  if (claims[0]?.policy === 'exclusive') {
    const free = open.length === 0 ? [] : await lockFreePods(tx, open, needed)
    return place({ claims, pools, free, shared: [], tenantAffinity, inOrder })
  }
  const sharable = pools.filter((pool) => options.ofLine === true || !pool.hasSharedLine).map(({ id }) => id)
  const sizes = distinctSizes(claims)
  const shared = sharable.length === 0 ? [] : await lockSharedPods(tx, sharable, sizes, needed, tenantAffinity)
  const seen = options.ofLine === true ? pools.map((pool) => ({ ...pool, hasSharedLine: false })) : pools
  let free: FreePod[] = []
  for (;;) {
    const placement = place({ claims, pools: seen, free, shared, tenantAffinity, inOrder })
    if (placement.unplaced.length === 0 || open.length === 0) return placement
    // Only as many ready pods are taken in hand as are needed: others would not find them.
    const wanted = free.length + (await freshPodsFor(tx, placement.unplaced, open))
    const locked = await lockFreePods(tx, open, wanted)
    if (locked.length <= free.length) return placement
    free = locked
  }
}

/** How many ready pods these shared claims may need, at least one. */
async function freshPodsFor(tx: Queryable, claims: readonly Claim[], poolIds: readonly number[]): Promise<number> {
  const pods = await peekFreePods(tx, poolIds)
  const cpu = Math.min(...pods.map((pod) => pod.cpu_millis))
  const memory = Math.min(...pods.map((pod) => pod.memory_bytes))
  const sum = (of: (claim: Claim) => number) => claims.reduce((total, claim) => total + of(claim) * claim.count, 0)
  const count = claims.reduce((total, claim) => total + claim.count, 0)
  const needed = Math.max(1, Math.ceil(sum((c) => c.cpuMillis) / cpu), Math.ceil(sum((c) => c.memoryBytes) / memory))
  return Math.min(count, Number.isFinite(needed) ? needed : 1)
}

function distinctSizes(claims: readonly Claim[]): Size[] {
  return [
    ...new Map(
      claims.map(({ cpuMillis, memoryBytes, tenant }) => [
        `${cpuMillis} ${memoryBytes} ${tenant}`,
        { cpuMillis, memoryBytes, tenant },
      ]),
    ).values(),
  ]
}

/** Makes a placement true; the instances of each claim, in their order. */
export async function bind(
  tx: Queryable,
  placement: Placement,
  settings: Pick<CarefulSettings, 'tenantAffinity'>,
  waited: ReadonlyMap<string, number> = new Map(),
): Promise<Map<Claim, Instance[]>> {
  const bound = new Map<Claim, Instance[]>()
  if (placement.bindings.length === 0) return bound
  const made = await bindPlacement(tx, placement, { tenantAffinity: settings.tenantAffinity, waited })
  const byId = new Map(made.map((instance) => [instance.id, instance]))
  for (const claim of new Set(placement.bindings.map(({ claim: of }) => of)))
    bound.set(
      claim,
      batchIds(claim.id, claim.count).flatMap((id) => byId.get(id) ?? []),
    )
  return bound
}
