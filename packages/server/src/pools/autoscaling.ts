import { Cron } from 'croner'

/**
 * What a pool declares about its own scaling beyond requests: Podyard's extension member `autoscaling`. Each part is
 * optional; together they count by the greatest. Pure.
 */
export type Autoscaling = {
  /** Idle pods that are kept beyond those in use: a number, or a share of all the pool's pods such as `10%`. */
  readonly buffer?: number | string
  /** From each time that an entry names until the next time that any of them names, there are `size` pods. */
  readonly schedule?: readonly ScheduleEntry[]
  /** As many idle pods as are claimed while a new one gets ready. */
  readonly demand?: { readonly window_seconds: number }
}

export type ScheduleEntry = {
  /** Five fields: minute, hour, day of month, month, day of week. */
  readonly cron: string
  /** IANA name; absent: UTC. */
  readonly time_zone?: string
  readonly size: number
}

const maxBuffer = 1_000_000
const maxEntries = 100
/** Seconds: buckets of 5 s are summed up (`autoscale_claims`), so a window has 2 to 720 of them. */
const windows = { least: 10, most: 3_600 } as const

/** What is wrong with it, naming the member; undefined when nothing is. */
export function checkAutoscaling(autoscaling: Autoscaling): string | undefined {
  const { buffer, schedule, demand } = autoscaling
  if (typeof buffer === 'number' && (buffer < 0 || buffer > maxBuffer))
    return `autoscaling.buffer should be from 0 to ${maxBuffer}, or a percentage`
  if (typeof buffer === 'string' && bufferPercent(buffer) === undefined)
    return 'autoscaling.buffer should be a number of pods, or a percentage from 1% to 99%'
  if (schedule !== undefined && schedule.length > maxEntries)
    return `autoscaling.schedule should not have more than ${maxEntries} entries`
  for (const [i, { cron, time_zone: timeZone, size }] of (schedule ?? []).entries()) {
    if (size < 0) return `autoscaling.schedule[${i}].size is less than 0`
    if (timeZone !== undefined && !isTimeZone(timeZone))
      return `autoscaling.schedule[${i}].time_zone is not a time zone of the IANA database`
    if (!isCron(cron))
      return `autoscaling.schedule[${i}].cron should have five fields: minute, hour, day of month, month, day of week`
  }
  if (demand !== undefined && (demand.window_seconds < windows.least || demand.window_seconds > windows.most))
    return `autoscaling.demand.window_seconds should be from ${windows.least} to ${windows.most}`
  return undefined
}

/** The number in `10%`; undefined for any other text and beyond 1 to 99. */
export function bufferPercent(buffer: string): number | undefined {
  return /^[1-9][0-9]?%$/.test(buffer) ? Number.parseInt(buffer, 10) : undefined
}

function isTimeZone(name: string): boolean {
  // Intl also takes offsets such as +01:00, which are no names.
  if (!/^[A-Za-z]/.test(name)) return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** The library also takes dates, seconds, years, names such as @daily, and `?` for the time of reading: those are refused. */
function isCron(text: string): boolean {
  if (text.length > 200 || !/^[^\s?@]+( [^\s?@]+){4}$/.test(text)) return false
  try {
    new Cron(text, { mode: '5-part', paused: true })
    return true
  } catch {
    return false
  }
}
