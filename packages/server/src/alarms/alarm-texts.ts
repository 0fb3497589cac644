import type { PoolEventDraft } from '../pools/pool.ts'
import { say } from '../pools/pool-events-text.ts'
import { type AlarmRow, toAlarmView } from './alarm-view.ts'

/** What is told of alarms: in a pool's story, and to the webhook. Pure. */

export type AlarmGroup = {
  readonly type: 'alarm.raised' | 'alarm.cleared'
  readonly kind: AlarmRow['kind']
  readonly poolUid: string
  readonly poolName: string
  readonly alarms: readonly AlarmRow[]
}

/** By pool and kind, the raised ones first. */
export function groupAlarms(changes: {
  readonly raised: readonly AlarmRow[]
  readonly cleared: readonly AlarmRow[]
}): AlarmGroup[] {
  const groups = new Map<string, AlarmGroup & { alarms: AlarmRow[] }>()
  const add = (type: AlarmGroup['type'], row: AlarmRow) => {
    const key = `${type} ${row.kind} ${row.pool_uid}`
    const known = groups.get(key)
    if (known !== undefined) known.alarms.push(row)
    else groups.set(key, { type, kind: row.kind, poolUid: row.pool_uid, poolName: row.pool_name, alarms: [row] })
  }
  for (const row of changes.raised) add('alarm.raised', row)
  for (const row of changes.cleared) add('alarm.cleared', row)
  return [...groups.values()]
}

/** One line for all the pods, with the reason of most of them. */
export function alarmStory({ type, kind, alarms }: AlarmGroup): PoolEventDraft {
  const names = say(alarms.map((alarm) => alarm.pod_name))
  const why = mostFrequent(alarms.map((alarm) => (type === 'alarm.raised' ? alarm.cause : alarm.cleared_because)))
  if (type === 'alarm.cleared')
    return { type: 'Normal', reason: 'AlarmCleared', message: `${kind} no more: ${names}: ${why}` }
  return {
    type: 'Warning',
    reason: kind === 'pending' ? 'AlarmPending' : 'AlarmFailed',
    message: kind === 'pending' ? `pending for too long: ${names}: ${why}` : `failed: ${names}: ${why}`,
  }
}

function mostFrequent(texts: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1)
  return [...counts].reduce((most, one) => (one[1] > most[1] ? one : most), ['', 0] as [string, number])[0]
}

/** Alarms in one message at most. */
const maxAlarms = 100

/**
 * The bodies of the messages of a group: a pool of a thousand pods that cannot start is ten messages, not a thousand.
 *
 * @param at ISO 8601
 */
export function messagesOf(group: AlarmGroup, at: string): string[] {
  const bodies: string[] = []
  for (let from = 0; from < group.alarms.length; from += maxAlarms)
    bodies.push(
      JSON.stringify({
        type: group.type,
        timestamp: at,
        data: {
          pool: group.poolName,
          kind: group.kind,
          alarms: group.alarms.slice(from, from + maxAlarms).map(toAlarmView),
        },
      }),
    )
  return bodies
}
