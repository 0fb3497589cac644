import { type Claim, quantile, type Timed, windows } from './claims-load.ts'
import type { ClaimStage } from './claims-stage.ts'
import { type Report, round } from './report.ts'

/** One line of the table, and what it is held to. */
export type Part = { readonly row: readonly string[]; readonly limits: readonly (readonly [string, number, number])[] }
export type Add = (part: Part) => void

export function report(parts: readonly Part[]): Report {
  const limits = parts.flatMap((part) => part.limits.map(([name, figure, atMost]) => ({ name, figure, atMost })))
  return {
    columns: ['load', 'claims', 'p50 ms', 'p99 ms', 'commit p99', 'slowest ms', 'a second', 'not bound', 'cold'],
    rows: parts.map((part) => part.row),
    figures: Object.fromEntries(limits.map(({ name, figure }) => [name, figure])),
    limits,
  }
}

/** What a load may take; p99 comes on top of what a bare commit took at its p99 in the same time. */
type Limits = { readonly key: string; readonly p50: number; readonly p99: number }

/** What a load came to. Figures of a long one are those of its worst ten seconds. */
export function part({ commits }: ClaimStage, name: string, claims: readonly Claim[], limits?: Limits): Part {
  const from = Math.min(...claims.map(({ at }) => at))
  const to = Math.max(...claims.map(({ at, ms }) => at + ms))
  const seconds = (to - from) / 1_000
  // One client alone makes a hundred claims in ten seconds: the p99 of those would be their slowest.
  const isWindowed = seconds > 15 && claims.length / seconds > 20
  const worst = worstOf(claims, isWindowed)
  const commitP99 = worstOf(commits.between(from, to), isWindowed).p99
  const refused = claims.filter((c) => c.status !== 200).length
  return {
    row: [
      name,
      claims.length.toLocaleString('en'),
      worst.p50.toFixed(1),
      worst.p99.toFixed(1),
      commitP99.toFixed(1),
      Math.max(...claims.map(({ ms }) => ms)).toFixed(0),
      Math.round(claims.length / seconds).toLocaleString('en'),
      String(refused),
      String(claims.filter((c) => c.status === 200 && !c.warm).length),
    ],
    limits:
      limits === undefined
        ? []
        : [
            [`${limits.key}_p50_ms`, round(worst.p50), limits.p50],
            [`${limits.key}_p99_ms`, round(worst.p99), round(limits.p99 + commitP99)],
            [`${limits.key}_refused`, refused, 0],
          ],
  }
}

function worstOf(timed: readonly Timed[], isWindowed: boolean): { readonly p50: number; readonly p99: number } {
  const ms = timed.map((one) => one.ms)
  return isWindowed ? windows(timed) : { p50: quantile(ms, 0.5), p99: quantile(ms, 0.99) }
}

/** A line that has a figure to hold and nothing else to tell. */
export const bareRow = (...cells: readonly string[]) => [...cells, ...Array<string>(9 - cells.length).fill('')]
