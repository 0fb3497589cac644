import type { V1PodSpec } from '@kubernetes/client-node'
import { expect } from 'vitest'
import { resources } from '../../../packages/server/src/kube/index.ts'
import type { Area, Bench } from './case.ts'
import { condition, container, isReady, pod } from './objects.ts'
import { eventually } from './wait.ts'

/** Makes a pod that cannot be scheduled, and gives what its condition says. */
async function stuck({ kube, namespace: ns, seen }: Bench, name: string, spec: Partial<V1PodSpec>) {
  const namespace = await ns()
  await kube.create(resources.pods, pod(name, { labels: { app: name }, spec }), { namespace })
  const found = await eventually(
    'the scheduler’s word',
    () => kube.get(resources.pods, { namespace, name }),
    (one) => condition(one, 'PodScheduled') !== undefined,
  )
  seen(name, found.status)
  const { status, reason, message } = condition(found, 'PodScheduled') ?? {}
  return { phase: found.status?.phase, status, reason, message }
}

const unschedulable = (message: string) => ({ phase: 'Pending', status: 'False', reason: 'Unschedulable', message })
const noHelp = 'preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.'
const required = (key: string, operator: string, values?: string[]) => ({
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchExpressions: [{ key, operator, ...(values === undefined ? {} : { values }) }] }],
    },
  },
})

export const schedulerArea: Area = {
  title: 'Scheduling',
  cases: [
    {
      title: 'a pod gets a node and says so; a pod that names its node stays there',
      async run({ kube, namespace: ns }) {
        const namespace = await ns()
        await kube.create(resources.pods, pod('a'), { namespace })
        await kube.create(resources.pods, pod('b', { spec: { nodeName: 'node-2' } }), { namespace })
        const { items } = await eventually(
          'two Ready pods',
          () => kube.list(resources.pods, { namespace }),
          (list) => list.items.every(isReady),
        )
        expect(items[0]?.spec?.nodeName).toMatch(/^node-[123]$/)
        expect(condition(items[0] ?? {}, 'PodScheduled')).toMatchObject({ status: 'True' })
        expect(items[1]?.spec?.nodeName).toBe('node-2')
      },
    },
    {
      title: 'node selectors and required node affinity choose the node',
      async run({ kube, namespace: ns }) {
        const namespace = await ns()
        const specs: Record<string, Partial<V1PodSpec>> = {
          selector: { nodeSelector: { 'kubernetes.io/hostname': 'node-3' } },
          affinity: { affinity: required('kubernetes.io/hostname', 'NotIn', ['node-1', 'node-2']) },
          both: {
            nodeSelector: { 'node-role.kubernetes.io/controlplane': 'true' },
            affinity: required('kubernetes.io/hostname', 'In', ['node-3']),
          },
        }
        for (const [name, spec] of Object.entries(specs))
          await kube.create(resources.pods, pod(name, { spec }), { namespace })
        const { items } = await eventually(
          'Ready pods',
          () => kube.list(resources.pods, { namespace }),
          (list) => list.items.every(isReady),
        )
        expect(items.map(({ spec }) => spec?.nodeName)).toEqual(['node-3', 'node-3', 'node-3'])
      },
    },
    {
      title: 'a pod that fits no node is Pending, and its condition says why in the scheduler’s words',
      async run(bench) {
        expect(await stuck(bench, 'selector', { nodeSelector: { none: 'such' } })).toEqual(
          unschedulable(
            `0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, ${noHelp}`,
          ),
        )
        const cpu = { containers: [{ ...container, resources: { requests: { cpu: '5000' } } }] }
        expect(await stuck(bench, 'cpu', cpu)).toMatchObject({ phase: 'Pending', reason: 'Unschedulable' })
        const both = { containers: [{ ...container, resources: { requests: { cpu: '5000', memory: '100Ti' } } }] }
        await stuck(bench, 'both', both)
        await stuck(bench, 'extended', {
          containers: [{ ...container, resources: { limits: { 'example.com/gpu': '1' } } }],
        })
        await stuck(bench, 'affinity', { affinity: required('none', 'Exists') })
        await stuck(bench, 'port', { nodeSelector: { 'kubernetes.io/hostname': 'node-1' }, ...cpu })
        await stuck(bench, 'gated', { schedulingGates: [{ name: 'podyard.example/hold' }] })
        await stuck(bench, 'pod-affinity', {
          affinity: {
            podAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [
                { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { none: 'such' } } },
              ],
            },
          },
        })
        await stuck(bench, 'spread', {
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'none',
              whenUnsatisfiable: 'DoNotSchedule',
              labelSelector: { matchLabels: { app: 'spread' } },
            },
          ],
        })
      },
    },
    {
      title: 'a pod whose claim is missing is Pending and names it; it runs when the claim is there and bound',
      async run(bench) {
        const { kube, request } = bench
        const volumes = [{ name: 'v', persistentVolumeClaim: { claimName: 'late' } }]
        const word = await stuck(bench, 'a', { volumes })
        expect(word).toMatchObject({ phase: 'Pending', status: 'False', reason: 'Unschedulable' })
        expect(word.message).toContain('persistentvolumeclaim "late" not found')
        const namespace = await bench.namespace()
        const volumeName = `${namespace}-late`
        const amount = { storage: '1Gi' }
        const volume = await request('POST', '/api/v1/persistentvolumes', {
          apiVersion: 'v1',
          kind: 'PersistentVolume',
          metadata: { name: volumeName },
          spec: {
            capacity: amount,
            accessModes: ['ReadWriteMany'],
            storageClassName: '',
            hostPath: { path: '/nonexistent' },
            claimRef: { namespace, name: 'late' },
          },
        })
        expect(volume.code, volume.text).toBe(201)
        const claim = await request('POST', `/api/v1/namespaces/${namespace}/persistentvolumeclaims`, {
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          metadata: { name: 'late' },
          spec: { accessModes: ['ReadWriteMany'], storageClassName: '', volumeName, resources: { requests: amount } },
        })
        expect(claim.code, claim.text).toBe(201)
        await eventually(
          'the pod to run',
          () => kube.get(resources.pods, { namespace, name: 'a' }),
          (found) => isReady(found),
        )
      },
    },
    {
      title: 'topology spread and anti-affinity place one pod per node, and a fourth nowhere',
      async run(bench) {
        const { kube } = bench
        const namespace = await bench.namespace()
        const labels = { app: 'apart' }
        const spec: Partial<V1PodSpec> = {
          affinity: {
            podAntiAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [
                { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: labels } },
              ],
            },
          },
        }
        for (const name of ['a', 'b', 'c', 'd'])
          await kube.create(resources.pods, pod(name, { labels, spec }), { namespace })
        const pods = await eventually(
          'three Ready pods, and one that cannot',
          async () => (await kube.list(resources.pods, { namespace })).items,
          (items) =>
            items.filter(isReady).length === 3 &&
            items.some((one) => condition(one, 'PodScheduled')?.reason === 'Unschedulable'),
        )
        expect(new Set(pods.filter(isReady).map((one) => one.spec?.nodeName)).size).toBe(3)
        const left = pods.filter((one) => !isReady(one)).map((one) => condition(one, 'PodScheduled'))
        expect(left).toHaveLength(1)
        expect(left[0]?.message).toMatch(
          /^0\/3 nodes are available: 3 node\(s\) didn't match pod anti-affinity rules\./,
        )
        bench.seen('message', left[0]?.message)
        const spread = (name: string) =>
          pod(name, {
            labels: { app: 'spread' },
            spec: {
              topologySpreadConstraints: [
                {
                  maxSkew: 1,
                  topologyKey: 'kubernetes.io/hostname',
                  whenUnsatisfiable: 'DoNotSchedule',
                  labelSelector: { matchLabels: { app: 'spread' } },
                },
              ],
            },
          })
        for (let i = 0; i < 6; i += 1) await kube.create(resources.pods, spread(`s${i}`), { namespace })
        const even = await eventually(
          'six Ready pods',
          async () => (await kube.list(resources.pods, { namespace, labelSelector: 'app=spread' })).items,
          (items) => items.filter(isReady).length === 6,
        )
        const nodes = even.map(({ spec: of }) => of?.nodeName ?? '')
        expect([...new Set(nodes)].map((node) => nodes.filter((one) => one === node).length)).toEqual([2, 2, 2])
      },
    },
  ],
}
