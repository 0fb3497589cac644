/**
 * Unix seconds of a date as clients write it: a number of seconds, `YYYY-MM-DD`, `YYYY-MM-DD HH:MM:SS` (both in UTC) or
 * RFC 3339. Undefined for anything else, and for dates that do not exist.
 */
export function unixSecondsOf(value: unknown): number | undefined {
  // PostgreSQL's timestamps reach from 4713 BC to 294276 AD.
  if (typeof value === 'number') return value > -2e11 && value < 9e12 ? value : undefined
  if (typeof value !== 'string') return undefined
  const match = /^(\d{4})-(\d{2})-(\d{2})(?:[ T](\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})?)?$/.exec(value)
  if (match === null) return undefined
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] = match
  const milliseconds = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${zone}`)
  // Date.parse takes February 30 for March 2.
  const dayExists = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() === Number(day)
  if (Number.isNaN(milliseconds) || !dayExists) return undefined
  return milliseconds / 1000 + Number(`0${fraction}`)
}
