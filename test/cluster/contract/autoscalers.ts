import { expect } from 'vitest'
import { resources } from '../../../packages/server/src/kube/index.ts'
import type { Area } from './case.ts'
import { deployment, refusal } from './objects.ts'
import { eventually } from './wait.ts'

/** As the pool API's documented example sends it: the text of `horizontal_pod_autoscaler_spec`. */
const documented =
  '{"minReplicas": 1, "maxReplicas": 2, "metrics":[{"resource": {"name":"cpu", "target":{"averageUtilization":20, "type":"Utilization"}}, "type":"Resource"}, {"resource": {"name":"memory", "target":{"averageUtilization":50, "type":"Utilization"}}, "type":"Resource"}]}'

const autoscaler = (name: string, spec: object) => ({
  metadata: { name },
  spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name }, maxReplicas: 3, ...spec },
})

export const autoscalerArea: Area = {
  title: 'Autoscalers',
  cases: [
    {
      title: 'autoscaling/v2 from the documented text is accepted and kept as sent',
      async run({ kube, namespace: ns, seen }) {
        const namespace = await ns()
        const spec = JSON.parse(documented) as object
        const made = await kube.create(resources.horizontalPodAutoscalers, autoscaler('d', spec), { namespace })
        expect(made).toMatchObject({ apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', spec })
        seen('autoscaler', { metadata: made.metadata, spec: made.spec })
      },
    },
    {
      title: 'broken ones are refused, in the API server’s words',
      async run({ kube, namespace: ns, seen }) {
        const namespace = await ns()
        const make = (spec: object) =>
          refusal(kube.create(resources.horizontalPodAutoscalers, autoscaler('d', spec), { namespace }))
        expect(await make({ minReplicas: 5, maxReplicas: 3 })).toEqual({
          code: 422,
          reason: 'Invalid',
          message:
            'HorizontalPodAutoscaler.autoscaling "d" is invalid: spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`',
          causes: [
            {
              field: 'spec.maxReplicas',
              reason: 'FieldValueInvalid',
              message: 'Invalid value: 3: must be greater than or equal to `minReplicas`',
            },
          ],
        })
        seen('no maximum', await make({ maxReplicas: undefined }))
        seen('wrong type', await make({ maxReplicas: 'many' }))
        seen('metric', await make({ metrics: [{ type: 'Resource' }, { type: 'Nope' }] }))
        seen('target', await make({ metrics: [{ type: 'Resource', resource: { name: 'cpu', target: {} } }] }))
        seen('behavior', await make({ behavior: { scaleUp: { stabilizationWindowSeconds: 99999 } } }))
      },
    },
    {
      title: 'a Deployment below minReplicas or above maxReplicas is brought within them',
      async run({ kube, namespace: ns }) {
        const namespace = await ns()
        await kube.create(resources.deployments, deployment('low', 1), { namespace })
        await kube.create(resources.deployments, deployment('high', 5), { namespace })
        const bounds = { minReplicas: 2, maxReplicas: 3, ...metrics }
        await kube.create(resources.horizontalPodAutoscalers, autoscaler('low', bounds), { namespace })
        await kube.create(resources.horizontalPodAutoscalers, autoscaler('high', bounds), { namespace })
        const replicas = async (name: string) =>
          (await kube.get(resources.deployments, { namespace, name })).spec?.replicas ?? 0
        // The real controller looks every 15 seconds.
        await eventually(
          'replicas within the bounds',
          async () => ({ low: await replicas('low'), high: await replicas('high') }),
          ({ low, high }) => low === 2 && high === 3,
        )
      },
    },
  ],
}

const metrics = {
  metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } }],
}
