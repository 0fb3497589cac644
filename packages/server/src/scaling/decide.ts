import { type Autoscaling, bufferPercent } from '../pools/autoscaling.ts'

/** How many pods a pool is to have, from what it declares and what is measured. Pure; times are milliseconds. */

export type ScalingInputs = {
  readonly size: number
  readonly maxSize: number
  /** null: none is declared (any more). */
  readonly autoscaling: Autoscaling | null
  /** Pods that run an instance, or have been shared: nobody can have them whole. */
  readonly held: number
  /** Pods that the requests in line need, each request counted once over the pools that may serve it. */
  readonly waiting: number
  /** What the schedule says now; undefined: no time of it has come yet. */
  readonly scheduled: Scheduled | undefined
  /** Claims in the last so many seconds; undefined: not counted. */
  readonly claims: { readonly count: number; readonly seconds: number } | undefined
  /** From a pod's creation to its readiness; undefined: none was measured yet. */
  readonly refillMs: number | undefined
}

export type Scheduled = { readonly size: number; readonly cron: string; readonly since: string }

export type Part = 'size' | 'schedule' | 'buffer' | 'demand'

export type Decision = {
  /** Pods in use or idle, those on their way included; from `size` to `maxSize`. */
  readonly wanted: number
  /** Whose number it is; where several say the same, the one that stands first in `Part`. */
  readonly by: Part
  /** What each part asks for, before the bounds. */
  readonly asks: Readonly<Partial<Record<Part, number>>>
}

/**
 * The greatest of what the parts ask for, within `size..maxSize`. `buffer` and `demand` count idle pods beside those in
 * use and those that the line needs; `schedule` counts all.
 */
export function decide(inputs: ScalingInputs): Decision {
  const { size, maxSize, autoscaling, scheduled, claims, refillMs } = inputs
  const used = inputs.held + inputs.waiting
  const asks: Partial<Record<Part, number>> = { size }
  if (autoscaling?.schedule !== undefined && scheduled !== undefined) asks.schedule = scheduled.size
  if (autoscaling?.buffer !== undefined) asks.buffer = withBuffer(used, autoscaling.buffer)
  if (autoscaling?.demand !== undefined && claims !== undefined && refillMs !== undefined)
    asks.demand = used + claimedMeanwhile(claims, refillMs)
  let by: Part = 'size'
  for (const part of ['schedule', 'buffer', 'demand'] as const) if ((asks[part] ?? 0) > (asks[by] ?? 0)) by = part
  return { wanted: Math.max(size, Math.min(maxSize, asks[by] ?? 0)), by, asks }
}

/** A percentage is of all pods: of 100 with 10% 90 are in use. At least one is idle. */
function withBuffer(used: number, buffer: number | string): number {
  if (typeof buffer === 'number') return used + buffer
  const percent = bufferPercent(buffer) ?? 0
  return Math.max(used + 1, Math.ceil((used * 100) / (100 - percent)))
}

/** Little's law: as many claims come while one pod is made. */
function claimedMeanwhile(claims: { readonly count: number; readonly seconds: number }, refillMs: number): number {
  return Math.ceil((claims.count * refillMs) / (claims.seconds * 1000) - 1e-9)
}

/** Too many pods, since when without a break, and how many at least in that time. */
export type Surplus = { readonly sinceMs: number; readonly pods: number }

/**
 * Pods are made at once when more are wanted, but taken away only when there were too many for `windowMs` without a
 * break: then as many as were too many all that time.
 *
 * @param pods how many are too many now
 */
export function settleSurplus(
  before: Surplus | undefined,
  pods: number,
  now: number,
  windowMs: number,
): { readonly surplus: Surplus | undefined; readonly take: number } {
  if (pods <= 0) return { surplus: undefined, take: 0 }
  const surplus = { sinceMs: before?.sinceMs ?? now, pods: Math.min(before?.pods ?? pods, pods) }
  if (now - surplus.sinceMs < windowMs) return { surplus, take: 0 }
  return { surplus: undefined, take: surplus.pods }
}

/** The mean of what was measured, the latest counting for a fifth. */
export function meanRefill(before: number | undefined, measured: readonly number[]): number | undefined {
  return measured.reduce<number | undefined>(
    (mean, milliseconds) => (mean === undefined ? milliseconds : mean + (milliseconds - mean) / 5),
    before,
  )
}
