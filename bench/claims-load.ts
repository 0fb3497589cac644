import { setTimeout as delay } from 'node:timers/promises'
import type { LoadClient } from './load-client.ts'

/** When something was due and how long it took from then, in milliseconds of the monotonic clock. */
export type Timed = { readonly at: number; readonly ms: number }

/** One claim as its client saw it. */
export type Claim = Timed & {
  readonly status: number
  readonly ids: readonly string[]
  readonly warm: boolean
}

export type ClaimBody = Readonly<Record<string, unknown>>

/** Claims, timed from `at`: when it was due, which may be before a connection was free. */
export async function claim(http: LoadClient, body: ClaimBody, at = performance.now()): Promise<Claim> {
  const { status, text } = await http.send('POST', '/serverless/v1/instances', body)
  const ms = performance.now() - at
  if (status !== 200) return { at, ms, status, ids: [], warm: false }
  const { result } = JSON.parse(text) as { result: Bound & { instances?: readonly Bound[] } }
  const bound = result.instances ?? [result]
  return { at, ms, status, ids: bound.map((one) => one.id), warm: bound.every((one) => one.warm) }
}

type Bound = { readonly id: string; readonly warm: boolean }

/**
 * Claims at random moments (Poisson), each due whether or not those before it were answered, and timed from when it was
 * due.
 *
 * @param perSecond how many on average
 */
export async function openLoop(
  http: LoadClient,
  options: { readonly perSecond: number; readonly seconds: number; readonly body: (i: number) => ClaimBody },
): Promise<Claim[]> {
  const startedAt = performance.now()
  const endsAt = startedAt + options.seconds * 1_000
  const under: Promise<Claim>[] = []
  let dueAt = startedAt
  for (;;) {
    dueAt += (-Math.log(1 - Math.random()) * 1_000) / options.perSecond
    if (dueAt >= endsAt) break
    const early = dueAt - performance.now()
    // A timer's own lateness (up to a millisecond) is the generator's, not the server's.
    if (early >= 1) await delay(early)
    const at = performance.now() - dueAt < 2 ? performance.now() : dueAt
    under.push(claim(http, options.body(under.length), at))
  }
  return Promise.all(under)
}

/** As many clients as `clients`, each of which claims again as soon as it is answered. */
export async function closedLoop(
  http: LoadClient,
  options: { readonly clients: number; readonly seconds: number; readonly body: ClaimBody },
): Promise<Claim[]> {
  const endsAt = performance.now() + options.seconds * 1_000
  const claims: Claim[] = []
  await Promise.all(
    Array.from({ length: options.clients }, async () => {
      while (performance.now() < endsAt) claims.push(await claim(http, options.body))
    }),
  )
  return claims
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN
}

/** p50 and p99 of each window of ten seconds, and the worst of them. */
export function windows(timed: readonly Timed[]): { readonly p50: number; readonly p99: number } {
  const start = Math.min(...timed.map(({ at }) => at))
  const byWindow = Map.groupBy(timed, ({ at }) => Math.floor((at - start) / 10_000))
  const full = [...byWindow.values()]
    .filter((window) => window.length >= 0.5 * (timed.length / byWindow.size))
    .map((window) => window.map(({ ms }) => ms))
  const worst = (q: number) => Math.max(...full.map((ms) => quantile(ms, q)))
  return { p50: worst(0.5), p99: worst(0.99) }
}
