import type { Metrics } from '../telemetry/metrics.ts'
import type { Claim, ClaimOutcome } from './instance.ts'

/** What `/metrics` shows of claims; every count is one addition. */
export type InstanceMetrics = {
  /** One claim came to its end, so many milliseconds after it came. */
  claimed(claim: Claim, outcome: ClaimOutcome, tookMs: number): void
  released(state: string, count: number): void
  /** What became of a lost instance that was to be replaced. */
  replaced(result: 'replaced' | 'given_up'): void
  /** Clients of this process that wait in line. */
  waiting(count: number): void
}

const secondBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]

export function createInstanceMetrics(metrics: Metrics): InstanceMetrics {
  const claims = metrics.counter(
    'podyard_claims_total',
    'Claims by what they came to: warm, waited, repeat, or why they got nothing; a batch is one claim',
    ['result'],
  )
  const warmInstances = metrics.counter(
    'podyard_instances_bound_total',
    'Instances that were bound, by whether a pod was ready',
    ['warm'],
  )
  const seconds = metrics.histogram(
    'podyard_claim_duration_seconds',
    'Time from a claim to its pod; claims that got nothing are not in it',
    ['warm'],
    secondBuckets,
  )
  const ended = metrics.counter('podyard_instances_ended_total', 'Instances that ended, by how', ['state'])
  const replacements = metrics.counter(
    'podyard_instance_replacements_total',
    'Lost instances that were to be replaced: replaced, or given up',
    ['result'],
  )
  const line = metrics.gauge('podyard_claims_waiting', 'Claims that wait in line through this process')

  // Children are looked up once: a look-up by labels costs more than the addition.
  const warm = { inc: claims.labels('warm'), bound: warmInstances.labels('true'), seconds: seconds.labels('true') }
  const cold = { inc: claims.labels('waited'), bound: warmInstances.labels('false'), seconds: seconds.labels('false') }
  const states = new Map(['released', 'expired', 'lost'].map((state) => [state, ended.labels(state)]))
  const refusals = new Map(
    ['unknown', 'taken', 'other body', 'never', 'closed', 'line full', 'timeout', 'stopping', 'left'].map((kind) => [
      kind,
      claims.labels(kind.replace(' ', '_')),
    ]),
  )
  const repeats = claims.labels('repeat')
  return {
    claimed(_claim, outcome, tookMs) {
      if (outcome.kind === 'refused') refusals.get(outcome.refusal.kind)?.inc()
      else if (outcome.isRepeat) repeats.inc()
      else {
        const which = outcome.instances[0]?.isWarm === true ? warm : cold
        which.inc.inc()
        which.bound.inc(outcome.instances.length)
        which.seconds.observe(tookMs / 1000)
      }
    },
    released: (state, count) => states.get(state)?.inc(count),
    replaced: (result) => replacements.inc({ result }),
    waiting: (count) => line.set(count),
  }
}
