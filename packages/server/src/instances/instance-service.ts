import { randomUUIDv7 } from 'node:crypto'
import { type Database, TransactionRace } from '../store/database.ts'
import { openSibling } from '../store/sibling-database.ts'
import { claimReadyPods, type Hints, type ReadyClaim } from './claim-exclusive.ts'
import { createGrouping } from './grouping.ts'
import type { Claim, ClaimOutcome, Instance } from './instance.ts'
import { type End, endInstancesNow } from './instance-end.ts'
import { findInstances } from './instance-read.ts'

/** The use cases of instances. */
export type InstanceService = {
  /** Binds the claim's instances, at once or after a wait in line; see `Refusal` for why it may not. */
  claim(claim: Claim, options?: { readonly signal?: AbortSignal }): Promise<ClaimOutcome>
  /** Ends an instance. One that has ended already is returned as it is; undefined: there never was one. */
  release(id: string, reason?: string): Promise<Instance | undefined>
  /** Alive or past; undefined: there never was one. */
  get(id: string): Promise<Instance | undefined>
  newId(): string
  stop(): Promise<void>
}

export type InstanceDeps = {
  readonly db: Database
  readonly settings?: Partial<InstanceSettings>
}

export type InstanceSettings = {
  /** How long a request id is remembered, in seconds. */
  readonly requestSeconds: number
}

const defaults: InstanceSettings = { requestSeconds: 86_400 }

/**
 * Claim connections plan for tables that are empty now and hold 100,000 rows a minute later: no statistics may change the
 * plan.
 */
const claimSession = '-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_bitmapscan=off -c jit=off'

export function createInstanceService(deps: InstanceDeps): InstanceService {
  const settings = { ...defaults, ...deps.settings }
  const db = openSibling(deps.db, { max: 4, session: claimSession })
  const hints: Hints = new Map()

  const ready = createGrouping<ReadyClaim, Instance | undefined>({
    run: (claims) => again(() => claimReadyPods(db, hints, claims, settings.requestSeconds)),
    maxItems: 256,
    maxInFlight: 2,
  })
  const ends = createGrouping<End, Instance | undefined>({
    run: async (items) => {
      const ended = new Map((await again(() => endInstancesNow(db, items))).map((one) => [one.id, one]))
      return items.map(({ id }) => ended.get(id))
    },
    maxItems: 256,
    maxInFlight: 2,
  })

  return {
    async claim(claim) {
      const pool = claim.selector.kind === 'pool' ? claim.selector.pool : ''
      const instance = await ready.add({ claim, pool, isOwner: false, isThorough: false })
      if (instance !== undefined) return { kind: 'bound', instances: [instance] }
      return { kind: 'refused', refusal: { kind: 'timeout', reason: 'nothing is ready' } }
    },
    async release(id, reason = 'released') {
      const ended = await ends.add({ id, state: 'released', reason })
      return ended ?? (await findInstances(db, [id]))[0]
    },
    get: async (id) => (await findInstances(db, [id]))[0],
    newId: () => randomUUIDv7(),
    stop: () => db.close(),
  }
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
