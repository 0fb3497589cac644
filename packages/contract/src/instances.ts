import Type, { type Static } from 'typebox'
import { Nullable, named, SafeInteger, StringEnum } from './named.ts'

/**
 * Instances: bodies, queries and answers of `/serverless/v1/instances`. The server decodes the bodies by hand (every
 * refusal names the member); the schemas say the same to readers and to generated clients.
 */

/** Instances of one batch at most. */
export const maxBatch = 1_000
/** Milliseconds that a claim may wait in line at most: an hour. */
export const maxTimeoutMs = 3_600_000
/** Milliseconds that a claim waits when it does not say. */
export const defaultTimeoutMs = 120_000
/** Seconds of a lease at most: a week. */
export const maxLeaseSeconds = 604_800
export const instanceIdPattern = '^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$'

const Quantities = Type.Object({
  cpu: Type.Optional(Type.String({ description: 'As `100m` or `0.5`.' })),
  memory: Type.Optional(Type.String({ description: 'As `64Mi` or `1Gi`.' })),
})

export const InstanceResources = Type.Object(
  { requests: Quantities },
  { $id: 'InstanceResources', description: 'What a shared instance takes of its pod: CPU, memory or both.' },
)

export const InstanceClaimBody = Type.Object(
  {
    id: Type.Optional(
      Nullable(
        Type.String({
          pattern: instanceIdPattern,
          description:
            'Id of the instance, never used before; absent: one is made. Not together with `count`. A taken one is 1004.',
        }),
      ),
    ),
    request_id: Type.Optional(
      Nullable(
        Type.String({
          minLength: 1,
          maxLength: 256,
          description:
            'Makes the claim idempotent: for 24 hours the same id with the same body gets the same instance, in the state that it then is in; with another body 409. A repeat while the first still waits joins it. An answer that never arrived is found in this way; without a request id only a lease frees the pod.',
        }),
      ),
    ),
    pool: Type.Optional(
      Nullable(
        Type.String({ minLength: 1, description: 'The pool. Give exactly one of pool, group and pool_labels.' }),
      ),
    ),
    group: Type.Optional(Nullable(Type.String({ minLength: 1, description: 'Any pool of this group.' }))),
    pool_labels: Type.Optional(
      Nullable(
        Type.Array(Type.String({ minLength: 1 }), {
          minItems: 1,
          maxItems: 32,
          description:
            'Label keys, as in X-Pool-Label: a pool whose pods have one of them (its own labels, or the name of its group), the first key first. With `unUseAntiOtherLabels` among them any pool will do in the end.',
        }),
      ),
    ),
    schedule_policy: Type.Optional(
      Nullable(
        StringEnum(['exclusive', 'shared'], {
          description: 'Whether the instance has a pod for itself (default) or shares one by `resources`.',
        }),
      ),
    ),
    resources: Type.Optional(Nullable(named(InstanceResources))),
    count: Type.Optional(
      Nullable(
        Type.Integer({
          minimum: 1,
          maximum: maxBatch,
          description:
            'That many instances, all or none. Without `timeout_ms` a batch fails at once when not enough is ready.',
        }),
      ),
    ),
    labels: Type.Optional(
      Nullable(
        Type.Record(Type.String(), Type.String(), {
          description: 'Labels of the instance; they are put on its pod. Keys and values as Kubernetes has them.',
        }),
      ),
    ),
    tenant: Type.Optional(Nullable(Type.String({ maxLength: 256, description: 'Whose instance it is.' }))),
    priority: Type.Optional(
      Nullable(
        Type.Integer({
          minimum: -2_147_483_648,
          maximum: 2_147_483_647,
          description: 'Place in line: higher first. Default 0.',
        }),
      ),
    ),
    lease_seconds: Type.Optional(
      Nullable(
        Type.Integer({
          minimum: 0,
          maximum: maxLeaseSeconds,
          description: 'Released by itself when it was not kept alive for so long. 0 (default): never.',
        }),
      ),
    ),
    replace_lost: Type.Optional(
      Nullable(
        Type.Boolean({
          description:
            'When the instance is lost with its pod, claim another one in the same way: its id is that of the lost one with `:2`, then `:3`, ... Default false.',
        }),
      ),
    ),
    timeout_ms: Type.Optional(
      Nullable(
        Type.Integer({
          minimum: 0,
          maximum: maxTimeoutMs,
          description: 'How long to wait in line. Default 120,000; 0 of a batch, and 0: answer at once.',
        }),
      ),
    ),
  },
  {
    $id: 'InstanceClaimBody',
    description: 'A claim. null is the same as absent; unknown members are ignored.',
  },
)

export const InstanceContainer = Type.Object(
  { bk_container_id: Type.Integer(), container_uid: Type.String(), name: Type.String() },
  { $id: 'InstanceContainer', description: 'A container of the pod, as the inventory has or had it.' },
)

export const InstancePod = Type.Object(
  {
    name: Type.String(),
    namespace: Type.String(),
    uid: Type.String(),
    ip: Type.String(),
    node: Type.String(),
    host_ip: Type.String(),
    bk_pod_id: Type.Integer({ description: "The inventory's id; 0 when it did not know the pod yet." }),
    bk_host_id: Type.Integer({ description: "The inventory's id of the host; 0 when not known." }),
    containers: Type.Optional(
      Type.Array(named(InstanceContainer), {
        description: 'Where instances are queried; not in the answer to a claim.',
      }),
    ),
  },
  { $id: 'InstancePod' },
)

const Time = (description: string) => Nullable(Type.String({ format: 'date-time', description }))

export const InstanceView = Type.Object(
  {
    id: Type.String(),
    state: StringEnum(['running', 'released', 'expired', 'lost'], {
      description: 'lost: its pod or node is gone; expired: its lease ran out.',
    }),
    pool: Type.String(),
    group: Type.String(),
    schedule_policy: StringEnum(['exclusive', 'shared']),
    resources: Nullable(named(InstanceResources)),
    request_id: Nullable(Type.String()),
    labels: Nullable(Type.Record(Type.String(), Type.String())),
    tenant: Type.String(),
    priority: Type.Integer(),
    pod: named(InstancePod),
    bk_biz_id: Type.Integer({ description: 'The business of the pod; 0 when not known.' }),
    lease: Type.Object({
      expires_at: Time('null: no lease'),
      keepalive_ms: SafeInteger({ description: 'Keep it alive that often: half of the lease. 0: no lease.' }),
    }),
    waited_ms: Type.Integer({ description: 'Time in line; 0 for a warm claim.' }),
    warm: Type.Boolean({ description: 'Whether a pod was ready when the claim came.' }),
    created_at: Type.String({ format: 'date-time' }),
    ended_at: Time('null while it runs'),
    reason: Type.String({ description: 'Why it ended; empty while it runs.' }),
  },
  { $id: 'InstanceView', description: 'An instance, alive or past. Every member is always there.' },
)
export type InstanceView = Static<typeof InstanceView>

const Code = Type.Integer({ description: '0: success; else what went wrong.' })

const Envelope = <const Id extends string>(id: Id, result: Parameters<typeof Nullable>[0], description: string) =>
  Type.Object({ code: Code, message: Type.String(), result }, { $id: id, description })

export const InstanceAnswer = Envelope('InstanceAnswer', named(InstanceView), 'One instance.')

export const InstanceBatchAnswer = Envelope(
  'InstanceBatchAnswer',
  Type.Object({ instances: Type.Array(named(InstanceView)) }),
  'The instances of a claim with `count`.',
)

export const InstanceListAnswer = Envelope(
  'InstanceListAnswer',
  Type.Object({
    count: Type.Optional(Type.Integer({ description: 'Matches on all pages; absent where a cursor was given.' })),
    instances: Type.Array(named(InstanceView), { description: 'Newest first.' }),
    next_cursor: Type.String({ description: 'Cursor of the page that follows; empty on the last.' }),
  }),
  'A page of the ledger.',
)

const text = (description: string) => Type.Optional(Type.String({ description }))

/** What narrows a list or a stream. */
const narrowing = {
  pool: text('Only instances of this pool.'),
  group: text('Only instances of pools of this group.'),
  tenant: text('Only instances of this tenant.'),
  state: text('running, released, expired or lost; absent: all of them.'),
}

export const InstanceListQuery = Type.Object({
  ...narrowing,
  request_id: text('Only instances that were claimed with this request id.'),
  ip: text('Only instances whose pod has or had this address.'),
  pod: text('Only instances on the pod of this name.'),
  pod_uid: text('Only instances on the pod with this uid.'),
  node: text('Only instances on this node.'),
  host_ip: text('Only instances on the host with this address.'),
  bk_biz_id: text('Only instances of this business.'),
  bk_pod_id: text("Only instances on the pod with this id of the inventory's."),
  bk_host_id: text("Only instances on the host with this id of the inventory's."),
  from: text('Only instances that lived at this time or later; RFC 3339 or Unix seconds.'),
  to: text('Only instances that lived at this time or before. With the same time as `from`: those that lived then.'),
  offset: text('Page, from 1. Absent, empty or 0: 1.'),
  limit: text('Instances on a page, at most 1,000. Absent or empty: 10.'),
  cursor: text('Instead of `offset`: empty for the first page, then `next_cursor` of the page before.'),
})

export const InstanceEventQuery = Type.Object({
  ...narrowing,
  after: text('As the header Last-Event-ID, for clients that cannot send one.'),
})

export const InstanceError = Type.Object(
  {
    code: Type.Integer({
      description:
        '1001 bad body or parameter, 1002 nothing to be had (the message says why), 1003 no such instance, 1004 the id is taken or the request id had another body, 1006 can never fit, 4120 no such pool or group, 122002 storage, 1014 access.',
    }),
    message: Type.String(),
  },
  { $id: 'InstanceError', description: 'An error of the instances API.' },
)

/** The named schemas of `/serverless/v1/instances`, for `addSchema`. */
export const instanceSchemas = [
  InstanceResources,
  InstanceClaimBody,
  InstanceContainer,
  InstancePod,
  InstanceView,
  InstanceAnswer,
  InstanceBatchAnswer,
  InstanceListAnswer,
  InstanceError,
] as const
