import type { Failure, PoolAction, PoolDesired, PoolObserved, StatusWrite } from './plan-types.ts'
import type { PoolEventDraft } from './pool.ts'

/** What the parts of the plan share. Pure. */

export const countReady = (observed: PoolObserved) => observed.pods.filter((pod) => pod.isReady).length

export const mayTry = (failure: Failure | undefined, now: number) => failure === undefined || now >= failure.retryAt

/** When to look again although nothing happens. */
export function waits(now: number, ...reasons: readonly ({ readonly retryAt: number } | undefined)[]): PoolAction[] {
  const times = reasons.flatMap((reason) => (reason !== undefined && reason.retryAt > now ? [reason.retryAt] : []))
  const time = Math.min(...times)
  return Number.isFinite(time) ? [{ kind: 'wait-until', time }] : []
}

/** Leaves out what the row has already; nothing at all when that is everything. */
export function write(desired: PoolDesired, wanted: StatusWrite): PoolAction[] {
  const changed: { -readonly [K in keyof StatusWrite]: StatusWrite[K] } = {}
  if (wanted.status !== undefined && wanted.status !== desired.status) changed.status = wanted.status
  if (wanted.word !== undefined && wanted.word !== desired.word) changed.word = wanted.word
  if (wanted.notes !== undefined && !isSame(wanted.notes, desired.notes)) changed.notes = wanted.notes
  if (wanted.readyCount !== undefined && wanted.readyCount !== desired.readyCount)
    changed.readyCount = wanted.readyCount
  if (wanted.observed !== undefined && !isSame(wanted.observed, desired.observed)) changed.observed = wanted.observed
  if (wanted.events !== undefined && wanted.events.length > 0) changed.events = wanted.events
  return Object.keys(changed).length === 0 ? [] : [{ kind: 'write-status', write: changed }]
}

function isSame(a: object, b: object): boolean {
  const [x, y] = [Object.entries(a), Object.entries(b)]
  return x.length === y.length && x.every(([key, value]) => (b as Record<string, unknown>)[key] === value)
}

export const normal = (reason: string, message: string): PoolEventDraft => ({ type: 'Normal', reason, message })
export const warning = (reason: string, message: string): PoolEventDraft => ({ type: 'Warning', reason, message })
