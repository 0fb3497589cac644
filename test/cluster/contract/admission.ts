import { expect } from 'vitest'
import { resources } from '../../../packages/server/src/kube/index.ts'
import type { Area, Bench } from './case.ts'
import { deployment, pod, quietPod, refusal } from './objects.ts'
import { eventually, until } from './wait.ts'

const because = 'the simulator has no such admission plugin'
const realOnly = { on: 'kube-apiserver', because } as const

async function policy(bench: Bench, kind: string, plural: string, spec: object): Promise<string> {
  const namespace = await bench.namespace()
  const object = { apiVersion: 'v1', kind, metadata: { name: 'policy' }, spec }
  const made = await bench.request('POST', `/api/v1/namespaces/${namespace}/${plural}`, object)
  expect(made.code, made.text).toBe(201)
  return namespace
}

export const admissionArea: Area = {
  title: 'Admission',
  cases: [
    {
      title: 'a pod whose RuntimeClass is missing is 403; a Deployment of such pods is accepted and says why it fails',
      async run({ kube, namespace: ns, seen }) {
        const namespace = await ns()
        const podSpec = { runtimeClassName: 'none' }
        expect(await refusal(kube.create(resources.pods, pod('a', { spec: podSpec }), { namespace }))).toEqual({
          code: 403,
          reason: 'Forbidden',
          message: 'pods "a" is forbidden: pod rejected: RuntimeClass "none" not found',
        })
        await kube.create(resources.deployments, deployment('d', 1, { podSpec }), { namespace })
        const failed = await eventually(
          'the Deployment to say why',
          () => kube.get(resources.deployments, { namespace, name: 'd' }),
          ({ status }) => status?.conditions?.some(({ type }) => type === 'ReplicaFailure') ?? false,
        )
        const condition = failed.status?.conditions?.find(({ type }) => type === 'ReplicaFailure')
        expect(condition).toMatchObject({ status: 'True', reason: 'FailedCreate' })
        expect(condition?.message).toMatch(
          /^pods "d-[0-9a-z]+-" is forbidden: pod rejected: RuntimeClass "none" not found$/,
        )
        seen(
          'conditions',
          failed.status?.conditions?.map(({ type, status, reason }) => ({ type, status, reason })),
        )
      },
    },
    {
      title: 'a RuntimeClass that exists is accepted, and its pod runs',
      async run({ kube, namespace: ns, seen }) {
        const namespace = await ns()
        const spec = { runtimeClassName: 'runc', schedulingGates: [{ name: 'podyard.example/hold' }] }
        seen('pod', await kube.create(resources.pods, pod('a', { spec }), { namespace }))
      },
    },
    {
      title: 'a missing ServiceAccount or PriorityClass is 403',
      async run({ kube, namespace: ns, seen }) {
        const namespace = await ns()
        const account = pod('a', { spec: { serviceAccountName: 'none' } })
        expect(await refusal(kube.create(resources.pods, account, { namespace }))).toEqual({
          code: 403,
          reason: 'Forbidden',
          message: `pods "a" is forbidden: error looking up service account ${namespace}/none: serviceaccount "none" not found`,
        })
        const priority = pod('a', { spec: { priorityClassName: 'none' } })
        expect(await refusal(kube.create(resources.pods, priority, { namespace }))).toEqual({
          code: 403,
          reason: 'Forbidden',
          message: 'pods "a" is forbidden: no PriorityClass with name none was found',
        })
        const system = quietPod('b')
        const spec = { containers: [], ...system.spec, priorityClassName: 'system-node-critical' }
        seen('system class', await kube.create(resources.pods, { ...system, spec }, { namespace }))
      },
    },
    {
      title: 'a token is mounted into containers unless the pod says no; tolerations of node failures are added',
      async run({ kube, namespace: ns, seen }) {
        const namespace = await ns()
        const { spec, ...rest } = quietPod('a')
        const { automountServiceAccountToken: _no, ...without } = spec ?? { containers: [] }
        const made = await kube.create(resources.pods, { ...rest, spec: without }, { namespace })
        expect(made.spec?.containers[0]?.volumeMounts?.[0]?.mountPath).toBe(
          '/var/run/secrets/kubernetes.io/serviceaccount',
        )
        expect(made.spec?.tolerations).toHaveLength(2)
        seen('pod', made)
      },
    },
    {
      title: 'ResourceQuota: 403, and a Deployment’s ReplicaFailure, in the API server’s words',
      only: realOnly,
      async run(bench) {
        const { kube } = bench
        const hard = { pods: '1', 'count/configmaps': '0' }
        const namespace = await policy(bench, 'ResourceQuota', 'resourcequotas', { hard })
        await until('the quota to hold', async () => {
          const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } }
          const path = `/api/v1/namespaces/${namespace}/configmaps?dryRun=All`
          const { code, text } = await bench.request('POST', path, object)
          return code === 403 && text.includes('exceeded quota')
        })
        await kube.create(resources.deployments, deployment('d', 2), { namespace })
        const failed = await eventually(
          'the refusal',
          () => kube.get(resources.deployments, { namespace, name: 'd' }),
          ({ status }) =>
            status?.conditions?.some(({ message }) => message?.includes('exceeded quota')) === true &&
            status.readyReplicas === 1,
        )
        const condition = failed.status?.conditions?.find(({ type }) => type === 'ReplicaFailure')
        expect(condition?.message).toMatch(
          /^pods "d-[0-9a-z]+-[0-9a-z]{5}" is forbidden: exceeded quota: policy, requested: pods=1, used: pods=1, limited: pods=1$/,
        )
        expect(await refusal(kube.create(resources.pods, pod('a'), { namespace }))).toEqual({
          code: 403,
          reason: 'Forbidden',
          message: 'pods "a" is forbidden: exceeded quota: policy, requested: pods=1, used: pods=1, limited: pods=1',
        })
      },
    },
    {
      title: 'LimitRange: 403 beyond it, and its defaults below it',
      only: realOnly,
      async run(bench) {
        const { kube } = bench
        const namespace = await policy(bench, 'LimitRange', 'limitranges', {
          limits: [{ type: 'Container', max: { memory: '1Gi' }, default: { memory: '512Mi' } }],
        })
        const big = quietPod('a')
        const sized = {
          ...big,
          spec: { ...big.spec, containers: [{ name: 'c', image: 'a', resources: { limits: { memory: '2Gi' } } }] },
        }
        await until('the limit to hold', async () => {
          const made = await bench.request('POST', `/api/v1/namespaces/${namespace}/pods?dryRun=All`, {
            apiVersion: 'v1',
            kind: 'Pod',
            ...sized,
          })
          return made.code === 403
        })
        expect(await refusal(kube.create(resources.pods, sized, { namespace }))).toEqual({
          code: 403,
          reason: 'Forbidden',
          message: 'pods "a" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi',
        })
        const made = await kube.create(resources.pods, quietPod('b'), { namespace })
        expect(made.spec?.containers[0]?.resources?.limits).toEqual({ memory: '512Mi' })
      },
    },
    {
      title: 'PodSecurity `restricted`: 403 with what is missing; a pod that has it all is accepted',
      only: realOnly,
      async run(bench) {
        const { kube } = bench
        const namespace = await bench.namespace({ 'pod-security.kubernetes.io/enforce': 'restricted' })
        const refused = await refusal(kube.create(resources.pods, pod('a'), { namespace }))
        expect(refused).toMatchObject({ code: 403, reason: 'Forbidden' })
        expect(refused.message).toMatch(/^pods "a" is forbidden: violates PodSecurity "restricted:latest": /)
        const restricted = pod('b', {
          spec: {
            containers: [
              {
                name: 'c',
                image: 'a',
                securityContext: {
                  allowPrivilegeEscalation: false,
                  runAsNonRoot: true,
                  capabilities: { drop: ['ALL'] },
                  seccompProfile: { type: 'RuntimeDefault' },
                },
              },
            ],
          },
        })
        expect((await kube.create(resources.pods, restricted, { namespace })).metadata?.name).toBe('b')
      },
    },
    {
      title: 'RBAC: what a user may not do is 403 and names the user',
      only: { on: 'kube-apiserver', because: 'the simulator knows one token and no rights' },
      async run(bench) {
        const namespace = await bench.namespace()
        expect(await refusal(bench.throttled.create(resources.pods, pod('a'), { namespace }))).toEqual({
          code: 403,
          reason: 'Forbidden',
          message: `pods is forbidden: User "podyard" cannot create resource "pods" in API group "" in the namespace "${namespace}"`,
        })
      },
    },
  ],
}
