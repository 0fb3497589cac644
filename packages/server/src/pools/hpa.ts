import type { V2HorizontalPodAutoscaler, V2HorizontalPodAutoscalerSpec } from '@kubernetes/client-node'
import type { PoolSource } from './deployment.ts'
import { isObject, mismatch, parseJson, type Shape } from './json-shape.ts'
import { autoscalerName, deploymentName, managedByLabel, managedByValue, poolUidAnnotation } from './names.ts'

const scalingRules: Shape = {
  members: {
    stabilizationWindowSeconds: 'integer',
    selectPolicy: 'string',
    policies: { list: { members: { type: 'string', value: 'integer', periodSeconds: 'integer' } } },
  },
}
const hpaSpec: Shape = {
  members: {
    minReplicas: 'integer',
    maxReplicas: 'integer',
    metrics: { list: { members: { type: 'string', resource: 'object', containerResource: 'object', pods: 'object' } } },
    behavior: { members: { scaleUp: scalingRules, scaleDown: scalingRules } },
  },
}

/** What a pool's text asks for. `none`: it has no autoscaler; `invalid`: the text cannot be read. */
export type BuiltHpa =
  | { readonly kind: 'none' }
  | { readonly kind: 'invalid'; readonly reason: string }
  | { readonly kind: 'wanted'; readonly hpa: V2HorizontalPodAutoscaler }

/**
 * The HorizontalPodAutoscaler of a pool: `scaleTargetRef` is the pool's Deployment, everything else is the user's text.
 * A scalable pool has none, whatever its text says. Pure.
 */
export function buildHpa(pool: PoolSource, namespace: string): BuiltHpa {
  const text = pool.spec.horizontalPodAutoscalerSpec
  if (text === '' || pool.scalable) return { kind: 'none' }
  const parsed = parseJson(text)
  if (!parsed.ok) return { kind: 'invalid', reason: `horizontal_pod_autoscaler_spec: ${parsed.reason}` }
  if (!isObject(parsed.value)) return { kind: 'invalid', reason: 'horizontal_pod_autoscaler_spec is not an object' }
  const wrong = mismatch(hpaSpec, parsed.value, '')
  if (wrong !== undefined) return { kind: 'invalid', reason: `horizontal_pod_autoscaler_spec: ${wrong}` }
  const spec = {
    ...parsed.value,
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: deploymentName(pool.id) },
  } as unknown as V2HorizontalPodAutoscalerSpec
  return {
    kind: 'wanted',
    hpa: {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: {
        name: autoscalerName(pool.id),
        namespace,
        labels: { [managedByLabel]: managedByValue },
        annotations: { [poolUidAnnotation]: pool.uid },
      },
      spec,
    },
  }
}
