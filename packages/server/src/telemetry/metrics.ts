import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** Everything that `/metrics` shows. One per app, so that several apps in one process (tests) do not meet. */
export type Metrics = {
  readonly registry: Registry
  counter<L extends string>(name: string, help: string, labels?: readonly L[]): Counter<L>
  gauge<L extends string>(name: string, help: string, labels?: readonly L[]): Gauge<L>
  histogram<L extends string>(
    name: string,
    help: string,
    labels?: readonly L[],
    buckets?: readonly number[],
  ): Histogram<L>
}

/** Buckets for things that should take milliseconds, in seconds. */
const millisecondBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]

export function createMetrics(options: { readonly processMetrics?: boolean } = {}): Metrics {
  const registry = new Registry()
  if (options.processMetrics === true) collectDefaultMetrics({ register: registry })
  const registers = [registry]
  // A controller that runs again (another term of the lease) finds the metrics of its first run.
  const existing = <M>(name: string) => registry.getSingleMetric(name) as M | undefined
  return {
    registry,
    counter: (name, help, labels = []) =>
      existing(name) ?? new Counter({ name, help, labelNames: [...labels], registers }),
    gauge: (name, help, labels = []) => existing(name) ?? new Gauge({ name, help, labelNames: [...labels], registers }),
    histogram: (name, help, labels = [], buckets = millisecondBuckets) =>
      existing(name) ?? new Histogram({ name, help, labelNames: [...labels], buckets: [...buckets], registers }),
  }
}

/**
 * A metric's child for label values, looked up by one text: the library's own look-up costs more than the addition.
 *
 * @param labels the metric's `labels`, bound to it
 */
export function childOf<Child>(labels: (...values: string[]) => Child): (...values: string[]) => Child {
  const known = new Map<string, Child>()
  return (...values) => {
    const key = values.join('\n')
    let child = known.get(key)
    if (child === undefined) {
      child = labels(...values)
      known.set(key, child)
    }
    return child
  }
}
