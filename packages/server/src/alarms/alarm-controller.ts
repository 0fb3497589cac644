import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { cleanText } from '../pools/cluster-failure.ts'
import { addStory } from '../pools/pool-events.ts'
import type { PoolScene, PoolScenes } from '../pools/pool-scenes.ts'
import type { Database, Transaction } from '../store/database.ts'
import { type Lease, LeaseLost } from '../store/lease.ts'
import { boundedLabels } from '../telemetry/bounded-labels.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { type OpenAlarm, type WellSince, watchPods } from './alarm.ts'
import { type AlarmChanges, readAlarmTime, readOpenAlarms, toOpenAlarm, writeAlarms } from './alarm-store.ts'
import { alarmStory, groupAlarms, messagesOf } from './alarm-texts.ts'
import type { AlarmRow } from './alarm-view.ts'
import { addMessages } from './webhook-store.ts'

export type AlarmControllerDeps = {
  readonly db: Database
  /** Fences every write. */
  readonly lease: Lease | undefined
  readonly pools: Pick<PoolScenes, 'scenes'>
  /** Where pools run. */
  readonly namespace: string
  /** Messages go into the webhook's outbox. */
  readonly hasWebhook: boolean
  readonly logger: Logger
  readonly metrics: Metrics
  readonly tuning?: Partial<AlarmTuning>
}

export type AlarmTuning = {
  /** Milliseconds between two looks at the pods. */
  readonly everyMs: number
  /** A failed pod is well again when it has been ready for so long, by the database's clock. */
  readonly steadyMs: number
}

const defaultTuning: AlarmTuning = { everyMs: 5_000, steadyMs: 60_000 }

/**
 * Watches over the pods of pools. An alarm is a row: raised once and cleared once, by whichever process leads. With it
 * are written the pool's story, the message to the webhook, and the event.
 */
export function createAlarmController(deps: AlarmControllerDeps) {
  const { db, lease, pools, logger } = deps
  const tuning = { ...defaultTuning, ...deps.tuning }
  const openAlarms = deps.metrics.gauge('podyard_pool_alarms', 'Open alarms', ['pool', 'kind'])
  const refused = deps.metrics.counter(
    'podyard_alarm_webhook_given_up_total',
    'Messages that could not be delivered for a day, or for which there was no room',
  )
  let open: Map<number, OpenAlarm & { readonly poolName: string }> | undefined
  let wellSince: WellSince = new Map()

  /** One look at all pods. */
  async function tick(): Promise<void> {
    const scenes = pools.scenes()
    if (scenes === undefined) return
    open ??= new Map((await readOpenAlarms(db)).map((row) => [row.id, opened(row)]))
    if (open.size > 0 || scenes.some(isSuspicious)) await look(scenes, open)
    show(open)
  }

  async function look(scenes: readonly PoolScene[], known: NonNullable<typeof open>): Promise<void> {
    const now = await readAlarmTime(db)
    const watched = watchPods(known.values(), wellSince, scenes, now, tuning.steadyMs)
    wellSince = watched.wellSince
    if (watched.raise.length + watched.clear.length === 0) return
    const raise = watched.raise.map((one) => ({ ...one, cause: cleanText(one.cause) }))
    let noRoom = 0
    const done = await writeAlarms(db, lease, deps.namespace, { raise, clear: watched.clear }, async (tx, changes) => {
      noRoom = await tell(tx, changes, now)
    })
    for (const row of done.raised) known.set(row.id, opened(row))
    for (const { alarm } of watched.clear) known.delete(alarm.id)
    if (noRoom === 0) return
    refused.inc(noRoom)
    logger.error({ messages: noRoom }, 'too many messages wait for the alarm webhook: these are not sent')
  }

  /** How many messages there was no room for. */
  async function tell(tx: Transaction, changes: AlarmChanges, now: number): Promise<number> {
    const groups = groupAlarms(changes)
    await addStory(
      tx,
      groups.map((group) => ({
        pool: { uid: group.poolUid, id: group.poolName },
        event: withCleanMessage(alarmStory(group)),
      })),
    )
    if (!deps.hasWebhook) return 0
    const at = new Date(now).toISOString()
    const messages = groups
      .flatMap((group) => messagesOf(group, at))
      .map((body) => ({ id: `msg_${randomUUID()}`, body }))
    return messages.length - (await addMessages(tx, messages))
  }

  function show(alarms: NonNullable<typeof open>): void {
    openAlarms.reset()
    const label = boundedLabels()
    for (const { poolName, kind } of alarms.values()) openAlarms.inc({ pool: label(poolName), kind })
  }

  /** Looks at the pods until the signal aborts. Rejects when the lease is lost. */
  async function run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        try {
          await tick()
        } catch (error) {
          if (error instanceof LeaseLost) throw error
          // What was written is not known: the next look reads it again.
          open = undefined
          if (!signal.aborted) logger.warn({ err: error }, 'alarms could not be written; trying again')
        }
        await delay(tuning.everyMs, undefined, { signal }).catch(() => {})
      }
    } finally {
      // Whoever leads next shows them.
      openAlarms.reset()
    }
  }

  return { run, tick }
}

const opened = (row: AlarmRow) => ({ ...toOpenAlarm(row), poolName: row.pool_name })

const withCleanMessage = (event: ReturnType<typeof alarmStory>) => ({ ...event, message: cleanText(event.message) })

/** Only such pods can have an alarm, so most looks need no database. */
const isSuspicious = ({ pods }: PoolScene) => pods.some((pod) => pod.isPending === true || pod.failing !== undefined)
