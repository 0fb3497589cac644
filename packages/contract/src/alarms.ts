import Type, { type Static } from 'typebox'
import { Nullable, named, SafeInteger, StringEnum } from './named.ts'

/** `/v1/alarms`, and what the alarm webhook is sent. */

const kinds = ['pending', 'failed'] as const
const states = ['open', 'cleared'] as const

export const AlarmView = Type.Object(
  {
    id: Type.Integer({ description: 'Grows with each alarm: the cursor of `before`.' }),
    kind: StringEnum(kinds, {
      description:
        '`pending`: pending for `pod_pending_duration_threshold` seconds or longer. `failed`: phase Failed or Unknown, or a container in CrashLoopBackOff, ImagePullBackOff or the like.',
    }),
    state: StringEnum(states),
    pool: Type.String({ description: 'The id of the pool.' }),
    pool_uid: Type.String({ description: 'A pool made anew under the same id has another one.' }),
    pod: Type.Object({ name: Type.String(), namespace: Type.String(), uid: Type.String() }),
    cause: Type.String({ description: "In the cluster's words." }),
    since: Type.String({ format: 'date-time', description: 'When the pod was created.' }),
    raised_at: Type.String({ format: 'date-time' }),
    cleared_at: Nullable(Type.String({ format: 'date-time' })),
    cleared_because: Type.String({ description: 'Empty while it is open.' }),
  },
  { $id: 'Alarm', description: 'Something that was or is wrong with a pod of a pool.' },
)
export type AlarmView = Static<typeof AlarmView>

export const AlarmList = Type.Object(
  {
    alarms: Type.Array(named(AlarmView), { description: 'Newest first.' }),
    next_before: Nullable(Type.Integer({ description: 'Give this as `before` for older ones; null: there are none.' })),
  },
  { $id: 'AlarmList' },
)
export type AlarmList = Static<typeof AlarmList>

export const AlarmQuery = Type.Object({
  pool: Type.Optional(Type.String({ description: 'Only those of pools with this id.' })),
  state: Type.Optional(StringEnum(states, { description: 'Absent: both.' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
  before: Type.Optional(SafeInteger({ minimum: 1, description: 'Only alarms before this one.' })),
})

/** The named schemas of `/v1/alarms`. */
export const alarmSchemas = [AlarmView, AlarmList] as const
