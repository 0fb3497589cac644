import { randomUUID, randomUUIDv7 } from 'node:crypto'
import { maxTimeoutMs } from '@podyard/contract'
import { type Database, TransactionRace } from '../store/database.ts'
import { openSibling } from '../store/sibling-database.ts'
import { createMetrics, type Metrics } from '../telemetry/metrics.ts'
import { type CarefulResult, claimCarefully } from './claim-careful.ts'
import { claimReadyPods, type Hints, type ReadyClaim } from './claim-exclusive.ts'
import { readPools } from './claim-reads.ts'
import { createGrouping } from './grouping.ts'
import { batchIds, type Claim, type ClaimOutcome, type Instance, type Refusal, selectorKey } from './instance.ts'
import { type End, endInstancesNow, type TenantSettings } from './instance-end.ts'
import { lapsedLeases, renewLeases } from './instance-lease.ts'
import { type InstanceList, listInstances } from './instance-list.ts'
import { createInstanceMetrics } from './instance-metrics.ts'
import type { InstanceQuery } from './instance-query.ts'
import { findInstances } from './instance-read.ts'
import { createKeyedGrouping } from './keyed-grouping.ts'
import { createLineKeeper } from './line-keeper.ts'
import type { PodMarker } from './pod-marker.ts'
import { createReplacements } from './replacements.ts'
import { createSelectorCache } from './selector-cache.ts'

/** The use cases of instances. */
export type InstanceService = {
  /** Binds the claim's instances, at once or after a wait in line; see `Refusal` for why it may not. */
  claim(claim: Claim, client?: Client): Promise<ClaimOutcome>
  /** Ends an instance. One that has ended already is returned as it is; undefined: there never was one. */
  release(id: string, reason?: string): Promise<Instance | undefined>
  /** Alive or past; undefined: there never was one. */
  get(id: string): Promise<Instance | undefined>
  /** Starts an instance's lease anew. */
  renew(id: string): Promise<Renewal>
  /** A page of the ledger: the living and the past. */
  list(query: InstanceQuery): Promise<InstanceList>
  /** Pods of these pools may have become ready: whoever waits for them is served. Call it after the commit. */
  match(poolIds: readonly number[]): void
  /** The pool controller ended so many instances, since their pods were lost. Call it after the commit. */
  onLost(count: number): void
  /** What a process does each second: deadlines, what closed, what a wake-up missed. */
  sweep(): Promise<void>
  /** Heartbeats, sweeps, and the ear for other replicas, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>
  newId(): string
  /** Answers whoever waits with "stopping", and takes no more claims. */
  standDown(): Promise<void>
  /** Ends it; `standDown` comes first. */
  stop(): Promise<void>
  /** As the process would die: every connection breaks, and nothing is tidied up. */
  kill(): void
}

export type Renewal =
  | { readonly kind: 'renewed'; readonly instance: Instance }
  /** It has no lease. */
  | { readonly kind: 'no lease' }
  /** It ended, or its lease ran out in this moment. */
  | { readonly kind: 'ended'; readonly reason: string }
  | { readonly kind: 'unknown' }

/** Who asked. Most claims never need the signal, and making one costs. */
export type Client = {
  readonly isGone: () => boolean
  /** Aborts when the client goes away. */
  readonly signal: () => AbortSignal
}

export type InstanceSettings = TenantSettings & {
  /** How long a request id is remembered, in seconds. */
  readonly requestSeconds: number
  /** Waiters in one pool's line at most. */
  readonly lineLimit: number
  /** Milliseconds that a claim waits at most, whatever it says. */
  readonly longestWaitMs: number
}

export type InstanceDeps = {
  readonly db: Database
  /** Names this process among the replicas; a uuid. */
  readonly replica?: string
  readonly settings?: Partial<InstanceSettings>
  /** Wakes the pool controller: pods are to be deleted, scale-up steps are wanted. */
  readonly announceWork?: (work: 'retired' | 'steps') => void
  /** Writes on pods what instances do to them. */
  readonly marker?: Pick<PodMarker, 'bound' | 'ended'>
  readonly metrics?: Metrics
  /** Events were written: watchers look at once. */
  readonly wakeEvents?: () => void
  readonly onError?: (error: unknown) => void
}

export const defaultInstanceSettings: InstanceSettings = {
  requestSeconds: 86_400,
  lineLimit: 10_000,
  longestWaitMs: maxTimeoutMs,
  tenantAffinity: false,
  tenantReuseSeconds: -1,
}

/**
 * Claim connections plan for tables that are empty now and hold 100,000 rows a minute later: no statistics may change the
 * plan.
 */
const claimSession = '-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_bitmapscan=off -c jit=off'
/** More brought nothing (docs/adr/0010); the fifth hears the other replicas. */
const claimConnections = 5

export function createInstanceService(deps: InstanceDeps): InstanceService {
  const settings = { ...defaultInstanceSettings, ...deps.settings }
  const replica = deps.replica ?? randomUUID()
  const metrics = createInstanceMetrics(deps.metrics ?? createMetrics())
  const wakeEvents = deps.wakeEvents ?? (() => {})
  const announceWork = deps.announceWork ?? (() => {})
  const onError = deps.onError ?? (() => {})
  const db = openSibling(deps.db, { max: claimConnections, session: claimSession })
  const connections = new Set<{ destroy(): void }>()
  db.pool.on('connect', (client) => {
    const { stream } = (client as unknown as { connection: { stream: { destroy(): void } } }).connection
    connections.add(stream)
    client.on('end', () => connections.delete(stream))
  })
  let isStopping = false
  let alone = 0
  let rounds = 0

  const hints: Hints = new Map()
  const ready = createGrouping<ReadyClaim, Instance | undefined>({
    async run(claims) {
      const instances = await again(() => claimReadyPods(db, hints, claims, settings.requestSeconds))
      wakeEvents()
      return instances
    },
    maxItems: 256,
    maxInFlight: 2,
  })
  const careful = createKeyedGrouping<Claim, CarefulResult>({ run: runCarefully, maxItems: 256, maxInFlight: 2 })
  const ends = createGrouping<End, Instance | undefined>({ run: runEnds, maxItems: 256, maxInFlight: 2 })
  const selectors = createSelectorCache((selector) => readPools(db, selector))
  const line = createLineKeeper({
    db,
    replica,
    tenantAffinity: settings.tenantAffinity,
    onError,
    onWaiting: metrics.waiting,
    onBound: wakeEvents,
    forgetHints: () => hints.clear(),
  })

  const renewals = createGrouping<string, Instance | undefined>({
    async run(ids) {
      const renewed = new Map((await again(() => renewLeases(db, ids))).map((instance) => [instance.id, instance]))
      return ids.map((id) => renewed.get(id))
    },
    maxItems: 256,
    maxInFlight: 1,
  })

  const newId = () => randomUUIDv7()
  const replacements = createReplacements({ db: deps.db, claim, newId, onDone: metrics.replaced, onError })

  /** Ends what was not kept alive. Every process does it: none needs to lead, and the statement looks again. */
  async function lapse(): Promise<void> {
    for (;;) {
      const ids = await lapsedLeases(db, lapsedAtOnce)
      await Promise.all(ids.map((id) => ends.add({ id, state: 'expired', reason: 'its lease ran out' })))
      if (ids.length < lapsedAtOnce) return
    }
  }

  async function everySecond(): Promise<void> {
    await lapse()
    if (!isStopping) await replacements.work()
    rounds += 1
    if (rounds % replacementSweepRounds === 0) await replacements.sweep()
  }

  /** Claims of one kind; a request id that comes twice among them is looked at once more for each repeat. */
  async function runCarefully(claims: readonly Claim[]): Promise<readonly CarefulResult[]> {
    const results = new Map<Claim, CarefulResult>()
    while (results.size < claims.length) {
      const now = firstOfRequest(claims.filter((claim) => !results.has(claim)))
      const outcome = await claimCarefully(db, now, { ...settings, replica })
      now.forEach((claim, i) => {
        results.set(claim, outcome.results[i] as CarefulResult)
      })
      if (outcome.wantsStep) announceWork('steps')
      if (outcome.results.some(({ kind }) => kind === 'bound')) wakeEvents()
      line.match(outcome.enqueuedIn)
    }
    return claims.map((claim) => results.get(claim) as CarefulResult)
  }

  async function runEnds(items: readonly End[]): Promise<readonly (Instance | undefined)[]> {
    const ended = await again(() => endInstancesNow(db, items, settings))
    if (ended.length > 0) wakeEvents()
    for (const { state } of ended) metrics.released(state, 1)
    if (ended.some(({ policy }) => policy === 'exclusive') || settings.tenantReuseSeconds === 0) announceWork('retired')
    const eased = ended.filter(({ policy }) => policy === 'shared').map(({ poolId }) => poolId)
    line.match([...new Set(eased)])
    deps.marker?.ended(ended)
    const byId = new Map(ended.map((instance) => [instance.id, instance]))
    return items.map(({ id }) => byId.get(id))
  }

  /** The warm path first, where it can be. */
  async function attempt(claim: Claim): Promise<CarefulResult> {
    if (claim.policy === 'exclusive' && !claim.isBatch && !claim.isChosen) {
      for (const pool of await selectors.candidates(claim.selector)) {
        const instance = await ready.add({ claim, pool })
        if (instance !== undefined) return { kind: 'bound', instances: [instance], isRepeat: false }
      }
    }
    await line.ready()
    // A batch or a chosen id is a transaction of its own.
    const isAlone = claim.isBatch || claim.isChosen
    if (isAlone) alone += 1
    const key = isAlone ? `alone ${alone}` : `${claim.policy} ${selectorKey(claim.selector)}`
    return careful.add(key, claim)
  }

  async function claim(asked: Claim, client?: Client): Promise<ClaimOutcome> {
    const arrivedAt = performance.now()
    const outcome = await replacements.keep(asked, () => settle(asked, client, arrivedAt))
    metrics.claimed(asked, outcome, performance.now() - arrivedAt)
    return outcome
  }

  async function settle(given: Claim, client: Client | undefined, arrivedAt: number): Promise<ClaimOutcome> {
    const asked = given.timeoutMs > settings.longestWaitMs ? { ...given, timeoutMs: settings.longestWaitMs } : given
    for (let now = asked; ; now = { ...asked, timeoutMs: remaining(asked, arrivedAt) }) {
      if (isStopping) return refusedBy({ kind: 'stopping' })
      if (client?.isGone()) return refusedBy({ kind: 'left' })
      const result = await attempt(now)
      if (result.kind === 'refused') return refusedBy(result.refusal)
      if (result.kind === 'bound') {
        if (client?.isGone() && !result.isRepeat) return abandon(asked, result.instances)
        if (!result.isRepeat) mark(result.instances)
        return result
      }
      const { waiterId, count, isOwn } = result
      const end = await line.wait(waiterId, { claim: now, count, isOwn, signal: client?.signal() })
      if (end.kind === 'bound') {
        if (isOwn) mark(end.instances)
        return { kind: 'bound', instances: end.instances, isRepeat: !isOwn }
      }
      if (end.kind === 'outcome') return end.outcome
      if (end.kind === 'left') return leave(asked, waiterId, isOwn && end.wasLast)
    }
  }

  /**
   * The client went away while it waited. What was bound in that very moment stays where the caller can find it (a request
   * id, an id of its own choice); nobody would ever know of the rest, so that is released.
   */
  async function leave(asked: Claim, waiterId: string, isLast: boolean): Promise<ClaimOutcome> {
    if (isLast && (await line.leave([waiterId])).length === 0)
      await abandon(asked, await findInstances(db, batchIds(waiterId, asked.count)))
    return refusedBy({ kind: 'left' })
  }

  /** After the answer, which is on its way by then. */
  function mark(instances: readonly Instance[]): void {
    if (deps.marker !== undefined) setImmediate(() => deps.marker?.bound(instances))
  }

  async function abandon(asked: Claim, instances: readonly Instance[]): Promise<ClaimOutcome> {
    if (asked.requestId === null && !asked.isChosen)
      await Promise.all(instances.map(({ id }) => ends.add({ id, state: 'released', reason: 'the client had left' })))
    return refusedBy({ kind: 'left' })
  }

  return {
    claim,
    async release(id, reason = 'released') {
      const ended = await ends.add({ id, state: 'released', reason })
      return ended ?? (await findInstances(deps.db, [id]))[0]
    },
    get: async (id) => (await findInstances(deps.db, [id]))[0],
    async renew(id) {
      const renewed = await renewals.add(id)
      if (renewed !== undefined) return { kind: 'renewed', instance: renewed }
      const [instance] = await findInstances(deps.db, [id])
      if (instance === undefined) return { kind: 'unknown' }
      if (instance.leaseSeconds === 0 && instance.state === 'running') return { kind: 'no lease' }
      return { kind: 'ended', reason: instance.state === 'running' ? 'expired' : instance.reason }
    },
    list: (query) => listInstances(deps.db, query),
    match: (poolIds) => line.match(poolIds),
    onLost(count) {
      metrics.released('lost', count)
      replacements.work().catch(onError)
    },
    async sweep() {
      await line.sweep()
      await everySecond()
    },
    run: (signal) => line.run(signal, everySecond),
    newId,
    async standDown() {
      isStopping = true
      await line.standDown()
    },
    stop: () => db.close(),
    kill() {
      isStopping = true
      line.kill()
      // Whatever goes on from an await finds no connection.
      db.pool.end().catch(() => {})
      for (const connection of connections) connection.destroy()
    },
  }
}

/** Seconds between two sweeps of wishes for replacements. */
const replacementSweepRounds = 60
/** Leases that are ended in one round of the sweep. */
const lapsedAtOnce = 1_000

const refusedBy = (refusal: Refusal): ClaimOutcome => ({ kind: 'refused', refusal })

const remaining = (claim: Claim, arrivedAt: number) =>
  Math.max(0, Math.round(claim.timeoutMs - (performance.now() - arrivedAt)))

function firstOfRequest(claims: readonly Claim[]): Claim[] {
  const seen = new Set<string>()
  return claims.filter(({ requestId }) => {
    if (requestId === null) return true
    const isFirst = !seen.has(requestId)
    seen.add(requestId)
    return isFirst
  })
}

/** A group that lost a race is run again, as inTransaction does. */
async function again<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof TransactionRace) || attempt >= 3) throw error
    }
  }
}
