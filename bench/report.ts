/** What a bench returns: a table for people, figures for scripts, and the limits that it is held to. */
export type Report = {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
  readonly figures: Readonly<Record<string, number>>
  readonly limits: readonly { readonly name: string; readonly figure: number; readonly atMost: number }[]
}

export type BenchOptions = {
  readonly quick: boolean
  /** Benches that have a long form run it. */
  readonly long: boolean
  /** Benches that can run on a real control plane do. */
  readonly cluster: boolean
  readonly progress: (line: string) => void
}

export type Bench = { readonly describe: string; run(options: BenchOptions): Promise<Report> }

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const high = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? Number.NaN) + high) / 2
}

/** `median (min-max)` with a number of digits. */
export function spread(values: readonly number[], digits: number): string {
  return `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}-${Math.max(...values).toFixed(digits)})`
}

export const round = (value: number, digits = 2) => Number(value.toFixed(digits))
