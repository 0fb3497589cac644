import { Cron } from 'croner'
import type { ScheduleEntry } from '../pools/autoscaling.ts'
import type { Scheduled } from './decide.ts'

/**
 * What a schedule says at a moment: the size of the entry whose time came last, the greatest of those whose time came
 * together. Nothing is remembered of it but when an entry's time came and comes next, so it is the same after a restart.
 */
export type ScheduleReader = (entries: readonly ScheduleEntry[], now: number) => Scheduled | undefined

type Turn = { readonly from: number | undefined; readonly until: number }

/** Entries of which it remembers the present turn: finding one takes about a millisecond. */
const maxRemembered = 10_000

export function createScheduleReader(): ScheduleReader {
  const turns = new Map<string, Turn>()

  function turnOf({ cron, time_zone: timeZone = 'UTC' }: ScheduleEntry, now: number): Turn {
    const key = `${timeZone} ${cron}`
    const known = turns.get(key)
    if (known !== undefined && now >= (known.from ?? 0) && now < known.until) return known
    const turn = findTurn(cron, timeZone, now)
    if (turns.size >= maxRemembered) turns.clear()
    turns.set(key, turn)
    return turn
  }

  return (entries, now) => {
    let latest: { readonly from: number; readonly entry: ScheduleEntry } | undefined
    for (const entry of entries) {
      const { from } = turnOf(entry, now)
      if (from === undefined) continue
      const isLater = latest === undefined || from > latest.from
      const isGreater = from === latest?.from && entry.size > latest.entry.size
      if (isLater || isGreater) latest = { from, entry }
    }
    if (latest === undefined) return undefined
    return { size: latest.entry.size, cron: latest.entry.cron, since: new Date(latest.from).toISOString() }
  }
}

function findTurn(cron: string, timeZone: string, now: number): Turn {
  const times = new Cron(cron, { timezone: timeZone, mode: '5-part', paused: true })
  // The library's past ends before the second that it is asked about.
  const [from] = times.previousRuns(1, new Date(Math.floor(now / 1_000) * 1_000 + 1_000))
  const next = times.nextRun(new Date(now))
  return { from: from?.getTime(), until: next === null ? Infinity : next.getTime() }
}
