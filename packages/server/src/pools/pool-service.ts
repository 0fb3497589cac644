import { isDeepStrictEqual } from 'node:util'
import { serverlessErrors } from '../errors.ts'
import type { Database } from '../store/database.ts'
import type { PodHolds } from './pod-holds.ts'
import type { Pool, PoolEvent } from './pool.ts'
import type { PoolDraft, PoolPatch } from './pool-body.ts'
import type { PoolChanges } from './pool-changes.ts'
import { listPoolEvents } from './pool-events.ts'
import {
  changePool,
  createPools,
  getPoolById,
  listPoolPage,
  markPoolsDeleted,
  type PoolChange,
  type PoolFilter,
} from './pool-store.ts'
import { applyPatch, atoi, checkPatch, idIsTaken, refuseUpdate, validatePool } from './pool-validation.ts'

/** A pool of a batch that was not made. */
export type FailedPool = { readonly id: string; readonly message: string }

/** The use cases of the pool API. All of them only change rows: the controller takes it from there. */
export type PoolService = {
  /** Stores what can be stored, each pool for itself (pool API reference 1.2). `failed` is in the order of the request. */
  create(drafts: readonly PoolDraft[]): Promise<{ readonly created: readonly Pool[]; readonly failed: FailedPool[] }>
  /** A page, newest first; `pools` is null for a page that cannot be. Empty filters are none. */
  list(query: {
    readonly id: string
    readonly group: string
    readonly limit: string
    readonly offset: string
  }): Promise<{ readonly count: number; readonly pools: readonly Pool[] | null }>
  /** Changes sizes, HPA text, autoscaling and whether the pool is drained, and sets status 2. */
  update(id: string, patch: PoolPatch): Promise<Pool>
  /** Sets status 6 on every match, all or none. */
  remove(query: { readonly id: string; readonly group: string }): Promise<void>
  /** The story of the pools that had this id; undefined when nothing of them is left. */
  events(
    id: string,
    page: { readonly after?: number | undefined; readonly limit: number },
  ): Promise<readonly PoolEvent[] | undefined>
}

/** @param holds nobody gets a pod of a pool that is drained or deleted once the request is answered */
export function createPoolService(db: Database, changes: PoolChanges, holds: Pick<PodHolds, 'close'>): PoolService {
  return {
    async create(drafts) {
      if (drafts.length === 0)
        throw serverlessErrors.invalid('1failed to create pod pool, err: input pod pool list is empty')
      const verdicts = drafts.map(validatePool)
      // Of two pools with one id the first is stored: a Map would keep the second.
      const fresh = new Map<string, { readonly id: string; readonly index: number }>()
      verdicts.forEach((verdict, index) => {
        if (verdict.ok && !fresh.has(verdict.value.id)) fresh.set(verdict.value.id, { id: verdict.value.id, index })
      })
      const valid = verdicts.flatMap((verdict, index) =>
        verdict.ok && fresh.get(verdict.value.id)?.index === index ? [verdict.value] : [],
      )
      const created =
        valid.length === 0
          ? []
          : await createPools(db, valid, {
              type: 'Normal',
              reason: 'Declared',
              message: 'the pool was declared through the API',
            })
      changes.announce(created.map((pool) => pool.uid))
      const stored = new Set(created.map((pool) => pool.id))
      const failed = verdicts.flatMap((verdict, index): FailedPool[] => {
        if (!verdict.ok) return [{ id: drafts[index]?.id ?? '', message: verdict.reason }]
        const { id } = verdict.value
        return stored.has(id) && fresh.get(id)?.index === index ? [] : [{ id, message: idIsTaken(id) }]
      })
      return { created, failed }
    },

    async list(query) {
      const limit = integerOr(query.limit, 10n)
      const offset = integerOr(query.offset, 1n)
      if (limit <= 0n || offset < 0n) return { count: 0, pools: null }
      const filter = filterOf(query)
      if (filter === undefined) return { count: 0, pools: [] }
      const skip = (offset === 0n ? 0n : offset - 1n) * limit
      // Beyond what the database counts to, where no pool can be.
      const { total, pools } = await listPoolPage(db, filter, { limit, skip: skip < maxBigint ? skip : maxBigint })
      return { count: total, pools }
    },

    async update(id, patch) {
      const reason = checkPatch(patch)
      if (reason !== undefined) throw serverlessErrors.invalid(reason)
      const pool = id.includes('\0')
        ? undefined
        : await changePool(db, id, (stored) => {
            const conflict = refuseUpdate(stored, patch)
            if (conflict !== undefined) throw serverlessErrors.conflict(conflict)
            const verdict = applyPatch(stored, patch)
            if (!verdict.ok) throw serverlessErrors.invalid(verdict.reason)
            const change = verdict.value
            return { change, event: { type: 'Normal', reason: 'UpdateAccepted', message: describe(stored, change) } }
          })
      if (pool === undefined) throw serverlessErrors.notFound()
      changes.announce([pool.uid])
      if (patch.drain === true) await holds.close([pool.seq], 'drained')
      return pool
    },

    async remove(query) {
      if (query.id === '' && query.group === '')
        throw serverlessErrors.invalid('id and group cannot be empty at the same time')
      const filter = filterOf(query)
      const pools =
        filter === undefined
          ? []
          : await markPoolsDeleted(db, filter, {
              type: 'Normal',
              reason: 'DeletionAccepted',
              message: 'deletion was asked for through the API',
            })
      if (pools.length === 0) throw serverlessErrors.notFound()
      // Those that were being deleted already, too: the controller looks at them again.
      changes.announce(pools.map((pool) => pool.uid))
      await holds.close(
        pools.map((pool) => pool.seq),
        'deleted',
      )
    },

    async events(id, page) {
      if (id.includes('\0')) return undefined
      const events = await listPoolEvents(db, id, page)
      if (events.length > 0 || (await getPoolById(db, id)) !== undefined) return events
      // Nothing after the cursor: is there anything before it?
      return page.after !== undefined && (await listPoolEvents(db, id, { limit: 1 })).length > 0 ? [] : undefined
    },
  }
}

const maxBigint = 2n ** 63n - 1n

function integerOr(text: string, absent: bigint): bigint {
  if (text === '') return absent
  const read = atoi(text)
  if (!read.ok) throw serverlessErrors.invalid(read.reason)
  return read.value
}

/** Empty members are none; undefined when nothing can match: the database holds no NUL. */
function filterOf(query: { readonly id: string; readonly group: string }): PoolFilter | undefined {
  if (`${query.id}${query.group}`.includes('\0')) return undefined
  return { id: query.id === '' ? undefined : query.id, group: query.group === '' ? undefined : query.group }
}

function describe(pool: Pool, change: PoolChange): string {
  const { spec } = pool
  const parts = [
    ...(change.size === spec.size ? [] : [`size ${spec.size} -> ${change.size}`]),
    ...(change.maxSize === spec.maxSize || !pool.scalable ? [] : [`max_size ${spec.maxSize} -> ${change.maxSize}`]),
    ...(change.horizontalPodAutoscalerSpec === spec.horizontalPodAutoscalerSpec
      ? []
      : ['horizontal_pod_autoscaler_spec replaced']),
    ...(isDeepStrictEqual(change.autoscaling, spec.autoscaling)
      ? []
      : [change.autoscaling === null ? 'autoscaling removed' : `autoscaling ${JSON.stringify(change.autoscaling)}`]),
    ...(change.draining === pool.draining ? [] : [change.draining ? 'drained' : 'not drained any more']),
  ]
  return parts.length === 0 ? 'an update without a change was asked for through the API' : `update: ${parts.join(', ')}`
}
