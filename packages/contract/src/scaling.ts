import Type, { type Static } from 'typebox'
import { Nullable, named, SafeInteger, StringEnum } from './named.ts'
import { PoolAutoscaling } from './pools.ts'

/** `/v1/pools/{id}/scaling`: what autoscaling wants of a pool, and how it came to that. */

const Asks = Type.Object(
  {
    size: Type.Integer(),
    schedule: Type.Optional(Type.Integer()),
    buffer: Type.Optional(Type.Integer()),
    demand: Type.Optional(Type.Integer()),
  },
  { description: 'Pods that each part asks for, before the bounds `size` and `max_size`.' },
)

export const ScalingInputs = Type.Object(
  {
    size: Type.Integer(),
    max_size: Type.Integer(),
    autoscaling: Nullable(named(PoolAutoscaling)),
    held: Type.Integer({ description: 'Pods that run an instance, or have been shared.' }),
    waiting: Type.Integer({
      description: 'Pods that the requests in line need; a request is counted once over the pools that may serve it.',
    }),
    scheduled: Type.Optional(
      Type.Object({
        size: Type.Integer(),
        cron: Type.String({ description: 'The entry whose time came last.' }),
        since: Type.String({ format: 'date-time' }),
      }),
    ),
    claims: Type.Optional(
      Type.Object({ count: Type.Integer(), seconds: Type.Integer() }, { description: 'Claims in so many seconds.' }),
    ),
    refill_seconds: Type.Optional(
      Type.Number({ description: 'From the creation of a pod to its first readiness: a moving mean.' }),
    ),
    asks: Asks,
  },
  { $id: 'ScalingInputs', description: 'What a decision was made of.' },
)

export const ScalingDecision = Type.Object(
  {
    id: Type.Integer({ description: 'Grows with each decision: the cursor of `before`.' }),
    pool_uid: Type.String({ description: 'A pool made anew under the same id has another one.' }),
    at: Type.String({ format: 'date-time' }),
    wanted_before: Nullable(Type.Integer({ description: 'null: the first decision about the pool.' })),
    wanted: Type.Integer({ description: 'Pods that the pool is to have, in use, idle or on their way.' }),
    decided_by: StringEnum(['size', 'schedule', 'buffer', 'demand'], {
      description: 'The part that asked for the most.',
    }),
    inputs: named(ScalingInputs),
  },
  { $id: 'ScalingDecision' },
)

export const PoolScaling = Type.Object(
  {
    autoscaling: Nullable(named(PoolAutoscaling)),
    wanted: Nullable(Type.Integer({ description: 'Pods that are wanted now; null: nothing beyond the size.' })),
    surplus: Nullable(
      Type.Object({
        pods: Type.Integer({ description: 'Idle pods too many, the fewest since then.' }),
        since: Type.String({ format: 'date-time', description: 'They are taken away five minutes after this.' }),
      }),
    ),
    refill_seconds: Nullable(Type.Number({ description: 'Measured; null: not yet.' })),
    decisions: Type.Array(named(ScalingDecision), { description: 'Newest first.' }),
    next_before: Nullable(Type.Integer({ description: 'Give this as `before` for older ones; null: there are none.' })),
  },
  { $id: 'PoolScaling' },
)
export type PoolScaling = Static<typeof PoolScaling>

export const PoolScalingQuery = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
  before: Type.Optional(SafeInteger({ minimum: 1, description: 'Only decisions before this one.' })),
})

/** The named schemas of `/v1/pools/{id}/scaling`. */
export const scalingSchemas = [PoolAutoscaling, ScalingInputs, ScalingDecision, PoolScaling] as const
