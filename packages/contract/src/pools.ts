import Type, { type Static } from 'typebox'
import { Nullable, named, SafeInteger, StringEnum } from './named.ts'

/**
 * The pool API's bodies and answers. The server decodes these bodies by hand (its errors name the field and keep the
 * original's order of checks); the schemas say the same to readers and to generated clients.
 */

const TextMap = (description: string) => Nullable(Type.Record(Type.String(), Type.String(), { description }))
const Seconds = (description: string, minimum: number) => Nullable(SafeInteger({ minimum, description }))
const Text = (description: string, options: Record<string, unknown> = {}) =>
  Nullable(Type.String({ description, ...options }))
const Pods = (description: string) => Nullable(SafeInteger({ minimum: 0, description }))

export const PoolResources = Type.Object(
  {
    requests: Type.Record(Type.String(), Type.String(), {
      description: 'What one pod asks for, by resource name; CPU as `600m`, memory as `512Mi` or `6Gi`.',
    }),
    limits: Type.Record(Type.String(), Type.String(), {
      description: 'What one pod may use at most. A resource that is only requested is limited to its request.',
    }),
  },
  { $id: 'PoolResources', description: 'Resources of the container runtime-manager in each pod.' },
)

export const PoolIdleRecycleTime = Type.Object(
  {
    reserved: Type.Optional(
      Seconds(
        'Seconds without an instance after which a pod within `size` is recycled. -1: never; 0: not configured.',
        -1,
      ),
    ),
    scaled: Type.Optional(
      Seconds('The same for pods that were added beyond `size`. -1: never; 0: not configured.', -1),
    ),
  },
  { $id: 'PoolIdleRecycleTime', description: 'When idle pods of a scalable pool are recycled.' },
)

export const PoolAutoscaling = Type.Object(
  {
    buffer: Type.Optional(
      Nullable(
        Type.Union([
          Type.Integer({ minimum: 0, maximum: 1_000_000, description: 'Idle pods, beyond those in use.' }),
          Type.String({
            pattern: '^[1-9][0-9]?%$',
            description: "Share of the pool's pods that is idle, 1% to 99%; at least one pod.",
          }),
        ]),
      ),
    ),
    schedule: Type.Optional(
      Nullable(
        Type.Array(
          Type.Object({
            cron: Type.String({
              maxLength: 200,
              description:
                'When: minute, hour, day of month, month, day of week, such as `0 8 * * 1-5`. A time that the clock skips in spring is made up for right after.',
            }),
            time_zone: Type.Optional(
              Nullable(
                Type.String({ description: 'Name of the IANA database, such as `Europe/Berlin`. Absent: UTC.' }),
              ),
            ),
            size: SafeInteger({ minimum: 0, description: 'Pods, in use or idle, until the next time of any entry.' }),
          }),
          { maxItems: 100 },
        ),
      ),
    ),
    demand: Type.Optional(
      Nullable(
        Type.Object({
          window_seconds: Type.Integer({
            minimum: 10,
            maximum: 3600,
            description: 'How far back claims are counted for their rate.',
          }),
        }),
      ),
    ),
  },
  {
    $id: 'PoolAutoscaling',
    description:
      'How many pods a pool with `max_size` above `size` keeps: the greatest of what its parts ask for, from `size` to `max_size`. `buffer`: idle ones beside those in use; `schedule`: a number at times; `demand`: as many idle ones as are claimed while a new one gets ready. Without effect on a pool of fixed size. Extension of Podyard.',
  },
)

const hpaText =
  'JSON text of an autoscaling/v2 HorizontalPodAutoscaler spec without `scaleTargetRef`. On a pool with `max_size` above `size` it is kept but not applied, and `msg` says so.'

export const PoolInfo = Type.Object(
  {
    id: Type.String({
      pattern: '^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$',
      description: 'Name of the pool, unique among all pools: 1 to 40 lower-case letters, digits and inner hyphens.',
    }),
    group: Type.Optional(
      Text('Group of the pool, `default` when absent. It is also a label (key and value) of the pods.', {
        pattern: '^([a-zA-Z0-9]([-a-zA-Z0-9]{0,38}[a-zA-Z0-9])?)?$',
      }),
    ),
    size: Type.Optional(Pods('Pods that are kept; the least number of pods when `max_size` is greater. Absent: 0.')),
    max_size: Type.Optional(
      Pods('Most pods. Greater than `size`: the pool grows by demand. Absent or 0: the same as `size`.'),
    ),
    reuse: Type.Optional(
      Nullable(
        Type.Boolean({
          description:
            'How a pod that went to an exclusive instance is replaced: false at once, true when that pod is gone.',
        }),
      ),
    ),
    image: Type.Optional(
      Text('Image of the container runtime-manager; absent: that of the template. At most 200 bytes.', {
        maxLength: 200,
      }),
    ),
    init_image: Type.Optional(
      Text('Image of the init container function-agent-init; absent: that of the template. At most 200 bytes.', {
        maxLength: 200,
      }),
    ),
    labels: Type.Optional(
      Nullable(
        Type.Record(Type.String(), Type.Union([Nullable(Type.String()), Type.Number()]), {
          description:
            'Labels of the pods. Keys as Kubernetes has them; a number as a value is stored as its text. `yr-idle-to-recycle` is the idle time of a fixed pool in seconds, or `unlimited`.',
        }),
      ),
    ),
    environment: Type.Optional(TextMap('Environment variables of runtime-manager; names as Kubernetes allows them.')),
    volumes: Type.Optional(
      Text(
        'JSON text of an array of volumes: hostPath, configMap, emptyDir, secret, projected, persistentVolumeClaim. What cannot be read is ignored, and `msg` says so.',
      ),
    ),
    volume_mounts: Type.Optional(
      Text('JSON text of an array of mounts for the containers of the pods. What cannot be read is ignored.'),
    ),
    resources: named(PoolResources),
    affinities: Type.Optional(
      Text('JSON text of a Kubernetes Affinity. Without it the pods of a pool prefer different hosts.'),
    ),
    node_selector: Type.Optional(TextMap('Labels that a node must carry.')),
    runtime_class_name: Type.Optional(Text('RuntimeClass of the pods. At most 64 bytes.', { maxLength: 64 })),
    tolerations: Type.Optional(Text('JSON text of an array of tolerations; one without `effect` is ignored.')),
    horizontal_pod_autoscaler_spec: Type.Optional(Text(hpaText)),
    topology_spread_constraints: Type.Optional(
      Text('JSON text of an array of topology spread constraints; not applied to a pool with `max_size` above `size`.'),
    ),
    pod_pending_duration_threshold: Type.Optional(
      Seconds('Seconds that a pod may be pending before the pool says so. 0 or absent: 120.', 0),
    ),
    idle_recycle_time: Type.Optional(Nullable(named(PoolIdleRecycleTime))),
    autoscaling: Type.Optional(Nullable(named(PoolAutoscaling))),
  },
  {
    $id: 'PoolInfo',
    description:
      'A pool as it is declared. null is the same as absent; unknown members, and `status`, `msg`, `ready_count` and `scalable`, are ignored.',
  },
)

export const PoolCreateBody = Type.Object(
  { pools: Type.Array(named(PoolInfo), { minItems: 1, description: 'The pools to make, each for itself.' }) },
  { $id: 'PoolCreateBody' },
)

export const PoolUpdateBody = Type.Object(
  {
    size: Type.Optional(
      Pods("New size. Absent: 0, unless the body holds only members of Podyard's own (`drain`, `autoscaling`)."),
    ),
    max_size: Type.Optional(
      Pods('New maximum of a scalable pool; absent or 0 keeps it while `size` is not 0. A fixed pool ignores it.'),
    ),
    horizontal_pod_autoscaler_spec: Type.Optional(Text(`${hpaText} Absent or empty keeps the stored text.`)),
    drain: Type.Optional(
      Nullable(
        Type.Boolean({
          description:
            'true: the pool hands out nothing new and gives up its idle pods; what is held stays until it is released. false ends that. Absent: as it is. Extension of Podyard.',
        }),
      ),
    ),
    // Absent: kept; null: removed.
    autoscaling: Type.Optional(Nullable(named(PoolAutoscaling))),
  },
  {
    $id: 'PoolUpdateBody',
    description:
      'What can be changed of a pool; every other member is ignored. `autoscaling` replaces what was given before; null removes it, absent keeps it.',
  },
)

const MapView = (description: string) => Nullable(Type.Record(Type.String(), Type.String(), { description }))

export const PoolView = Type.Object(
  {
    id: Type.String(),
    group: Type.String(),
    size: Type.Integer(),
    max_size: Type.Integer(),
    ready_count: Type.Integer({ description: 'Ready pods that the pool still owns.' }),
    status: Type.Integer({
      minimum: 0,
      maximum: 6,
      description: '0 new, 1 creating, 2 update accepted, 3 updating, 4 running, 5 failed, 6 being deleted.',
    }),
    msg: Type.String({
      description: 'Where the pool stands: one word or phrase (`Running`), then `; ` and each note that there is.',
    }),
    image: Type.String(),
    init_image: Type.String(),
    reuse: Type.Boolean(),
    labels: MapView('null when not given'),
    environment: MapView('null when not given'),
    resources: named(PoolResources),
    volumes: Type.String(),
    volume_mounts: Type.String(),
    affinities: Type.String(),
    runtime_class_name: Type.String(),
    node_selector: MapView('null when not given'),
    tolerations: Type.String(),
    horizontal_pod_autoscaler_spec: Type.String(),
    topology_spread_constraints: Type.String(),
    pod_pending_duration_threshold: Type.Integer(),
    idle_recycle_time: Type.Object({ reserved: Type.Integer(), scaled: Type.Integer() }),
    scalable: Type.Boolean({ description: 'Whether `max_size` was greater than `size` when the pool was made.' }),
    drain: Type.Optional(Type.Boolean({ description: 'true while the pool is drained; absent otherwise.' })),
    autoscaling: Type.Optional(named(PoolAutoscaling)),
  },
  {
    $id: 'PoolView',
    description: "A pool as it is. Every member is always there, those of Podyard's own only when given.",
  },
)
export type PoolView = Static<typeof PoolView>

const Code = Type.Integer({ description: '0: success; else what went wrong.' })

/** The answer of a serverless route whose `result` is `result`. */
const Envelope = <const Id extends string>(id: Id, result: Parameters<typeof Nullable>[0], description: string) =>
  Type.Object({ code: Code, message: Type.String(), result }, { $id: id, description })

export const ServerlessError = Type.Object(
  {
    code: Type.Integer({
      description:
        '4104 bad input or a state that forbids it, 4120 no such pool, 130600 the body cannot be decoded, 122002 storage, 122003 a lost race, 1014 access.',
    }),
    message: Type.String(),
  },
  { $id: 'ServerlessError', description: 'An error of the pool API.' },
)

export const PoolDone = Envelope('PoolDone', Type.Null(), 'The change is stored; the cluster follows.')

export const PoolCreateAnswer = Envelope(
  'PoolCreateAnswer',
  Type.Object({
    failed_pools: Nullable(
      Type.Array(Type.String(), { description: 'Ids of the pools that were not made, in the order of the request.' }),
    ),
  }),
  'code 0 when every pool was stored; 4104 when some were not: their ids in `failed_pools`, why in `message`.',
)

export const PoolListAnswer = Envelope(
  'PoolListAnswer',
  Type.Object({
    count: Type.Integer({ description: 'Matches on all pages.' }),
    pools: Nullable(
      Type.Array(named(PoolView), { description: 'Newest first. null for a page that cannot be (limit below 1).' }),
    ),
  }),
  'A page of pools.',
)

const text = (description: string) => Type.Optional(Type.String({ description }))

export const PoolListQuery = Type.Object({
  id: text('Only the pool with this id.'),
  group: text('Only pools of this group.'),
  offset: text('Page, from 1. Absent, empty or 0: 1. Negative: an empty answer.'),
  limit: text('Pools on a page. Absent or empty: 10. Below 1: an empty answer.'),
})

export const PoolDeleteQuery = Type.Object({
  id: text('The pool to delete.'),
  group: text('Delete the pools of this group; together with `id`, only that pool and only if it is in the group.'),
})

export const PoolEvent = Type.Object(
  {
    id: Type.Integer({ description: 'Grows with each event: the cursor of `after`.' }),
    pool_uid: Type.String({ description: 'A pool made anew under the same id has another one.' }),
    at: Type.String({ format: 'date-time', description: 'When it happened first.' }),
    last_at: Type.String({ format: 'date-time', description: 'When it happened last.' }),
    count: Type.Integer({ description: 'How often it happened in a row.' }),
    type: StringEnum(['Normal', 'Warning']),
    reason: Type.String({ description: 'One word, for programs.' }),
    message: Type.String({ description: 'For people.' }),
  },
  { $id: 'PoolEvent' },
)

export const PoolEventList = Type.Object(
  {
    events: Type.Array(named(PoolEvent), { description: 'Oldest first.' }),
    next_after: Type.Integer({ description: 'Give this as `after` to go on from here.' }),
  },
  { $id: 'PoolEventList' },
)
export type PoolEventList = Static<typeof PoolEventList>

export const PoolEventQuery = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
  after: Type.Optional(
    SafeInteger({
      minimum: 0,
      description: 'Only events after this one, oldest first. Absent: the newest `limit` events.',
    }),
  ),
})

/** The named schemas of `/serverless/v1/podpools`, for `addSchema`. */
export const serverlessPoolSchemas = [
  PoolResources,
  PoolIdleRecycleTime,
  PoolAutoscaling,
  PoolInfo,
  PoolCreateBody,
  PoolUpdateBody,
  PoolView,
  ServerlessError,
  PoolDone,
  PoolCreateAnswer,
  PoolListAnswer,
] as const

/** The named schemas of `/v1/pools/{id}/events`. */
export const poolEventSchemas = [PoolEvent, PoolEventList] as const
