import type { PoolScaling } from '@podyard/contract'
import type { Autoscaling } from '../pools/autoscaling.ts'
import type { PoolService } from '../pools/pool-service.ts'
import type { Database } from '../store/database.ts'
import { listDecisions, readState, type StoredDecision } from './scaling-store.ts'

/** What autoscaling wants of a pool, and how it came to that. */
export type ScalingService = {
  /** A page of decisions, newest first, of every pool that had this id; undefined when nothing of them is left. */
  read(id: string, page: { readonly before?: number | undefined; readonly limit: number }): Promise<Scaling | undefined>
}

/** As on the wire, but that stored inputs are what they were when they were stored. */
export type Scaling = Omit<PoolScaling, 'autoscaling' | 'decisions'> & {
  readonly autoscaling: Autoscaling | null
  readonly decisions: readonly (Omit<StoredDecision, 'at'> & { readonly at: string })[]
}

export function createScalingService(db: Database, pools: Pick<PoolService, 'list'>): ScalingService {
  return {
    async read(id, { before = Number.MAX_SAFE_INTEGER, limit }) {
      if (id.includes('\0')) return undefined
      const [pool] = (await pools.list({ id, group: '', limit: '1', offset: '' })).pools ?? []
      const found = await listDecisions(db, id, { before, limit: limit + 1 })
      if (pool === undefined && found.length === 0 && !(await hasDecisions(id, before))) return undefined
      const state = pool === undefined ? undefined : await readState(db, pool.seq)
      const decisions = found.slice(0, limit)
      return {
        autoscaling: pool?.spec.autoscaling ?? null,
        wanted: state?.wanted ?? null,
        surplus:
          state?.surplus === undefined
            ? null
            : { pods: state.surplus.pods, since: new Date(state.surplus.sinceMs).toISOString() },
        refill_seconds: state?.refillMs === undefined ? null : Math.round(state.refillMs) / 1_000,
        decisions: decisions.map((decision) => ({ ...decision, at: decision.at.toISOString() })),
        next_before: found.length > limit ? (decisions.at(-1)?.id ?? null) : null,
      }
    },
  }

  /** Nothing before the cursor: is there anything after it? */
  async function hasDecisions(id: string, before: number): Promise<boolean> {
    if (before === Number.MAX_SAFE_INTEGER) return false
    return (await listDecisions(db, id, { before: Number.MAX_SAFE_INTEGER, limit: 1 })).length > 0
  }
}
