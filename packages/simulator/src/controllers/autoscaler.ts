import { kindOf } from '../store/kinds.ts'
import type { StoredObject } from '../store/types.ts'
import { type Autoscaler, type Condition, type Deployment, viewAs } from '../validation/kube-types.ts'
import { isSame } from '../validation/same.ts'
import { type ControllerContext, keyOf, parseKey } from './context.ts'
import { conditionOf } from './pod-state.ts'
import type { WorkQueue } from './queue.ts'

const SOURCE = 'horizontal-pod-autoscaler'
const NO_METRICS =
  'unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)'

type Truth = 'True' | 'False'

/** A HorizontalPodAutoscaler on a cluster without metrics: keeps the target within its bounds, tells what it lacks. */
export class AutoscalerController {
  readonly #context: ControllerContext
  readonly #queue: WorkQueue

  constructor(context: ControllerContext) {
    this.#context = context
    this.#queue = context.queue('autoscaler', (key) => this.#sync(key))
    context.follow('horizontalpodautoscalers', ({ object }) => this.#queue.add(keyOf(object)))
    for (const plural of ['deployments', 'replicasets']) {
      context.watch(plural, ({ object, before }) => {
        if (before !== undefined && replicasOf(before) === replicasOf(object)) return
        for (const autoscaler of context.store.list('horizontalpodautoscalers', object.metadata.namespace)) {
          const ref = viewAs<Autoscaler>(autoscaler).spec.scaleTargetRef
          if (ref.name === object.metadata.name && ref.kind === object.kind) this.#queue.add(keyOf(autoscaler))
        }
      })
    }
  }

  #sync(key: string): void {
    const stored = this.#context.store.get('horizontalpodautoscalers', parseKey(key))
    this.#queue.forget(key)
    if (stored === undefined || stored.metadata.deletionTimestamp !== undefined) return
    const autoscaler = viewAs<Autoscaler>(stored)
    const { scaleTargetRef, minReplicas = 1, maxReplicas } = autoscaler.spec
    const plural = scaleTargetRef.kind === 'ReplicaSet' ? 'replicasets' : 'deployments'
    const target = this.#context.store.get(plural, {
      namespace: autoscaler.metadata.namespace,
      name: scaleTargetRef.name,
    })
    if (target === undefined) {
      const { group } = kindOf(plural)
      const missing = `${plural}.${group} "${scaleTargetRef.name}" not found`
      this.#warn(stored, 'FailedGetScale', missing)
      const text = `the HPA controller was unable to get the target's current scale: ${missing}`
      this.#write(key, autoscaler, {}, this.#with([], autoscaler, 'AbleToScale', 'False', 'FailedGetScale', text))
      return
    }
    const current = replicasOf(target)
    const wanted = current === 0 ? 0 : Math.min(Math.max(current, minReplicas), maxReplicas)
    const able = this.#with(
      [],
      autoscaler,
      'AbleToScale',
      'True',
      'SucceededGetScale',
      "the HPA controller was able to get the target's current scale",
    )
    if (wanted !== current) this.#scale(stored, plural, target, current, wanted)
    const active =
      wanted === 0
        ? this.#with(
            able,
            autoscaler,
            'ScalingActive',
            'False',
            'ScalingDisabled',
            'scaling is disabled since the replica count of the target is zero',
          )
        : this.#with(
            able,
            autoscaler,
            'ScalingActive',
            'False',
            'FailedGetResourceMetric',
            `the HPA was unable to compute the replica count: failed to get cpu utilization: ${NO_METRICS}`,
          )
    if (wanted !== 0) this.#warn(stored, 'FailedGetResourceMetric', `failed to get cpu utilization: ${NO_METRICS}`)
    const scaled = wanted === current ? {} : { lastScaleTime: this.#context.timestamp() }
    this.#write(key, autoscaler, { currentReplicas: wanted, desiredReplicas: wanted, ...scaled }, active)
  }

  #scale(stored: StoredObject, plural: string, target: StoredObject, current: number, wanted: number): void {
    this.#context.store.update(plural, target.metadata, (object) => ({
      ...object,
      spec: { ...viewAs<Deployment>(object).spec, replicas: wanted },
    }))
    const bound = wanted > current ? 'below Spec.MinReplicas' : 'above Spec.MaxReplicas'
    const message = `New size: ${wanted}; reason: Current number of replicas ${bound}`
    this.#context.events.record(stored, { type: 'Normal', reason: 'SuccessfulRescale', message, source: SOURCE })
  }

  #warn(stored: StoredObject, reason: string, message: string): void {
    const known = viewAs<Autoscaler>(stored).status?.conditions
    if (known?.some((condition) => condition.reason === reason) === true) return
    this.#context.events.record(stored, { type: 'Warning', reason, message, source: SOURCE })
  }

  #with(
    conditions: readonly Condition[],
    autoscaler: Autoscaler,
    type: string,
    status: Truth,
    reason: string,
    message: string,
  ): readonly Condition[] {
    const known = conditionOf(autoscaler.status?.conditions, type)
    const time = known?.status === status ? known.lastTransitionTime : undefined
    const condition = { type, status, lastTransitionTime: time ?? this.#context.timestamp(), reason, message }
    return [...conditions, condition]
  }

  #write(key: string, autoscaler: Autoscaler, counts: object, conditions: readonly Condition[]): void {
    const before = autoscaler.status
    const status = { desiredReplicas: 0, currentMetrics: null, ...before, ...counts, conditions }
    if (isSame(status, before)) return
    this.#context.store.update('horizontalpodautoscalers', parseKey(key), (current) => ({ ...current, status }))
  }
}

function replicasOf(object: StoredObject): number {
  return viewAs<Deployment>(object).spec.replicas ?? 1
}
