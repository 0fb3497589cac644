import { expect } from 'vitest'
import { resources } from '../../../packages/server/src/kube/index.ts'
import type { Area, Bench } from './case.ts'
import { condition, container, deployment, isReady, pod, quietPod } from './objects.ts'
import { eventually } from './wait.ts'

const revision = 'deployment.kubernetes.io/revision'
const hashLabel = 'pod-template-hash'

/** The hash is that of a Go value's print; only that there is one, and where it stands, can be compared. */
function withoutHashes(value: unknown, ...hashes: (string | undefined)[]): unknown {
  let text = JSON.stringify(value)
  for (const [i, hash] of hashes.entries()) text = text.replaceAll(hash ?? '', `HASH${i}`)
  return JSON.parse(text)
}

async function settled({ kube }: Bench, namespace: string, replicas: number, name = 'd') {
  return eventually(
    `${replicas} pods of ${name}, all available and none else`,
    () => kube.get(resources.deployments, { namespace, name }),
    ({ metadata, status }) =>
      status?.observedGeneration === metadata?.generation &&
      (status?.replicas ?? 0) === replicas &&
      (status?.updatedReplicas ?? 0) === replicas &&
      (status?.availableReplicas ?? 0) === replicas &&
      (status?.terminatingReplicas ?? 0) === 0,
  )
}

const podsOf = async ({ kube }: Bench, namespace: string) =>
  (await kube.list(resources.pods, { namespace })).items.filter(
    ({ metadata }) => metadata?.deletionTimestamp === undefined,
  )
const setsOf = async ({ kube }: Bench, namespace: string) =>
  (await kube.list(resources.replicaSets, { namespace })).items

export const deploymentArea: Area = {
  title: 'Deployments and ReplicaSets',
  cases: [
    {
      title: 'Deployment, ReplicaSet and pods: owners, names, pod-template-hash, counts and conditions',
      async run(bench) {
        const { kube } = bench
        const namespace = await bench.namespace()
        const made = await kube.create(resources.deployments, deployment('d', 2), { namespace })
        const done = await settled(bench, namespace, 2)
        const [set] = await setsOf(bench, namespace)
        const hash = set?.metadata?.labels?.[hashLabel] ?? ''
        expect(hash).not.toBe('')
        expect(set?.metadata?.name).toBe(`d-${hash}`)
        expect(set?.spec?.selector.matchLabels).toEqual({ app: 'd', [hashLabel]: hash })
        expect(set?.spec?.template?.metadata?.labels).toEqual({ app: 'd', [hashLabel]: hash })
        expect(set?.metadata?.ownerReferences).toEqual([
          {
            apiVersion: 'apps/v1',
            kind: 'Deployment',
            name: 'd',
            uid: made.metadata?.uid,
            controller: true,
            blockOwnerDeletion: true,
          },
        ])
        const pods = await podsOf(bench, namespace)
        expect(pods).toHaveLength(2)
        for (const one of pods) {
          expect(one.metadata?.labels).toEqual({ app: 'd', [hashLabel]: hash })
          expect(one.metadata?.name).toMatch(new RegExp(`^d-${hash}-[bcdfghjklmnpqrstvwxz2456789]{5}$`))
          expect(one.metadata?.generateName).toBe(`d-${hash}-`)
          expect(one.metadata?.ownerReferences?.[0]).toEqual({
            apiVersion: 'apps/v1',
            kind: 'ReplicaSet',
            name: set?.metadata?.name,
            uid: set?.metadata?.uid,
            controller: true,
            blockOwnerDeletion: true,
          })
        }
        expect(done.metadata?.annotations?.[revision]).toBe('1')
        expect(condition(done, 'Available')).toMatchObject({ status: 'True', reason: 'MinimumReplicasAvailable' })
        expect(condition(done, 'Progressing')).toMatchObject({ status: 'True', reason: 'NewReplicaSetAvailable' })
        const { conditions, ...counts } = done.status ?? {}
        bench.seen('counts', counts)
        const sorted = [...(conditions ?? [])].sort((a, b) => (a.type < b.type ? -1 : 1))
        bench.seen('conditions', withoutHashes(sorted, hash))
        bench.seen('annotations', [done.metadata?.annotations, set?.metadata?.annotations])
        bench.seen('set', withoutHashes(set?.spec, hash))
        bench.seen('set status', set?.status)
        bench.seen('pod', pods.map(({ spec }) => ({ ...spec, nodeName: '' }))[0])
      },
    },
    {
      title: 'scale up and down; to nothing',
      async run(bench) {
        const { kube } = bench
        const namespace = await bench.namespace()
        await kube.create(resources.deployments, deployment('d', 1), { namespace })
        await settled(bench, namespace, 1)
        for (const replicas of [4, 2, 0]) {
          const patch = { type: 'merge', body: { spec: { replicas } } } as const
          await kube.patch(resources.deployments, { namespace, name: 'd' }, patch)
          await settled(bench, namespace, replicas)
          await eventually(
            `${replicas} pods`,
            () => podsOf(bench, namespace),
            (pods) => pods.length === replicas,
          )
        }
        expect(await setsOf(bench, namespace)).toHaveLength(1)
      },
    },
    {
      title: 'shrinking takes the pods of the lowest pod-deletion-cost first',
      async run(bench) {
        const { kube } = bench
        const namespace = await bench.namespace()
        await kube.create(resources.deployments, deployment('d', 4), { namespace })
        await settled(bench, namespace, 4)
        const pods = await podsOf(bench, namespace)
        const costs = ['100', '-5', '7', '-2147483648']
        await Promise.all(
          pods.map(({ metadata }, i) =>
            kube.patch(
              resources.pods,
              { namespace, name: metadata?.name ?? '' },
              {
                type: 'merge',
                body: { metadata: { annotations: { 'controller.kubernetes.io/pod-deletion-cost': costs[i] } } },
              },
            ),
          ),
        )
        // A stray that cannot be ready goes before all others: who has taken it away has seen the costs before it.
        const hash = pods[0]?.metadata?.labels?.[hashLabel] ?? ''
        await kube.create(resources.pods, quietPod('stray', { app: 'd', [hashLabel]: hash }), { namespace })
        await eventually(
          'the stray to be gone',
          () => podsOf(bench, namespace),
          (some) => some.every(({ metadata }) => metadata?.name !== 'stray'),
        )
        const left = async (replicas: number) => {
          const patch = { type: 'merge', body: { spec: { replicas } } } as const
          await kube.patch(resources.deployments, { namespace, name: 'd' }, patch)
          const now = await eventually(
            `${replicas} pods`,
            () => podsOf(bench, namespace),
            (some) => some.length === replicas,
          )
          return now
            .map(({ metadata }) => Number(metadata?.annotations?.['controller.kubernetes.io/pod-deletion-cost']))
            .sort((a, b) => a - b)
        }
        expect(await left(3)).toEqual([-5, 7, 100])
        expect(await left(1)).toEqual([100])
      },
    },
    {
      title: 'a rolling update ends with the new template alone; the old ReplicaSet stays empty; going back reuses it',
      async run(bench) {
        const { kube } = bench
        const namespace = await bench.namespace()
        const at = { namespace, name: 'd' }
        await kube.create(resources.deployments, deployment('d', 3), { namespace })
        await settled(bench, namespace, 3)
        const [first] = await setsOf(bench, namespace)
        const image = (name: string) =>
          kube.patch(resources.deployments, at, {
            type: 'merge',
            body: { spec: { template: { spec: { containers: [{ ...container, image: name }] } } } },
          })
        await image('registry.example/app:2')
        const done = await settled(bench, namespace, 3)
        expect(done.metadata?.annotations?.[revision]).toBe('2')
        const pods = await eventually(
          'three pods',
          () => podsOf(bench, namespace),
          (some) => some.length === 3,
        )
        expect(pods.map(({ spec }) => spec?.containers[0]?.image)).toEqual(Array(3).fill('registry.example/app:2'))
        const sets = await setsOf(bench, namespace)
        expect(sets).toHaveLength(2)
        const old = sets.find(({ metadata }) => metadata?.uid === first?.metadata?.uid)
        expect(old?.spec?.replicas).toBe(0)
        const fresh = sets.find(({ metadata }) => metadata?.uid !== first?.metadata?.uid)
        expect(fresh?.metadata?.labels?.[hashLabel]).not.toBe(first?.metadata?.labels?.[hashLabel])
        await image('registry.example/app:1')
        const back = await settled(bench, namespace, 3)
        expect(back.metadata?.annotations?.[revision]).toBe('3')
        const again = await setsOf(bench, namespace)
        expect(again).toHaveLength(2)
        expect(again.find(({ metadata }) => metadata?.uid === first?.metadata?.uid)?.spec?.replicas).toBe(3)
        bench.seen(
          'annotations',
          again
            .map(({ metadata }) => metadata?.annotations)
            .sort((a, b) => Number(a?.[revision]) - Number(b?.[revision])),
        )
      },
    },
    {
      title: 'Recreate ends the old pods before it makes new ones',
      async run(bench) {
        const { kube } = bench
        const namespace = await bench.namespace()
        const spec = { strategy: { type: 'Recreate' } }
        await kube.create(resources.deployments, deployment('d', 2, { spec }), { namespace })
        await settled(bench, namespace, 2)
        const before = (await podsOf(bench, namespace)).map(({ metadata }) => metadata?.uid)
        await kube.patch(
          resources.deployments,
          { namespace, name: 'd' },
          { type: 'merge', body: { spec: { template: { metadata: { annotations: { v: '2' } } } } } },
        )
        await settled(bench, namespace, 2)
        const after = await eventually(
          'two other pods',
          () => podsOf(bench, namespace),
          (some) => some.length === 2 && some.every(({ metadata }) => !before.includes(metadata?.uid)),
        )
        expect(after.map(({ metadata }) => metadata?.annotations?.v)).toEqual(['2', '2'])
      },
    },
    {
      title: 'a pod that is deleted is replaced; one whose labels leave the selector is let go and replaced',
      async run(bench) {
        const { kube } = bench
        const namespace = await bench.namespace()
        await kube.create(resources.deployments, deployment('d', 2), { namespace })
        await settled(bench, namespace, 2)
        const [one, two] = await podsOf(bench, namespace)
        await kube.delete(resources.pods, { namespace, name: one?.metadata?.name ?? '' })
        await eventually(
          'a replacement',
          () => podsOf(bench, namespace),
          (some) => some.length === 2 && some.every(({ metadata }) => metadata?.uid !== one?.metadata?.uid),
        )
        const name = two?.metadata?.name ?? ''
        await kube.patch(
          resources.pods,
          { namespace, name },
          { type: 'merge', body: { metadata: { labels: { app: 'x' } } } },
        )
        await eventually(
          'three pods, one of them free',
          () => podsOf(bench, namespace),
          (some) =>
            some.length === 3 && some.filter(({ metadata }) => metadata?.ownerReferences === undefined).length === 1,
        )
        const free = await kube.get(resources.pods, { namespace, name })
        expect(free.metadata).not.toHaveProperty('ownerReferences')
        expect(isReady(free)).toBe(true)
      },
    },
    {
      title: 'a pod without an owner that the selector means is adopted, and counts',
      async run(bench) {
        const { kube } = bench
        const namespace = await bench.namespace()
        await kube.create(resources.deployments, deployment('d', 1), { namespace })
        await settled(bench, namespace, 1)
        const [set] = await setsOf(bench, namespace)
        const labels = { app: 'd', [hashLabel]: set?.metadata?.labels?.[hashLabel] ?? '' }
        await kube.create(resources.pods, pod('stray', { labels }), { namespace })
        const pods = await eventually(
          'one pod again',
          () => podsOf(bench, namespace),
          (some) => some.length === 1,
        )
        expect(pods[0]?.metadata?.ownerReferences?.[0]?.uid).toBe(set?.metadata?.uid)
      },
    },
    {
      title: 'a rollout that cannot go on says so: Progressing False, ProgressDeadlineExceeded; old pods stay',
      async run(bench) {
        const { kube } = bench
        const namespace = await bench.namespace()
        const at = { namespace, name: 'd' }
        const spec = { progressDeadlineSeconds: 2, strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } } }
        await kube.create(resources.deployments, deployment('d', 2, { spec }), { namespace })
        await settled(bench, namespace, 2)
        const body = { spec: { template: { spec: { nodeSelector: { none: 'such' } } } } }
        await kube.patch(resources.deployments, at, { type: 'merge', body })
        const late = await eventually(
          'the deadline',
          () => kube.get(resources.deployments, at),
          (one) =>
            condition(one, 'Progressing')?.status === 'False' &&
            one.status?.replicas === 3 &&
            one.status.updatedReplicas === 1,
        )
        const [, fresh] = (await setsOf(bench, namespace)).sort((a, b) =>
          (a.spec?.replicas ?? 0) < (b.spec?.replicas ?? 0) ? 1 : -1,
        )
        expect(condition(late, 'Progressing')).toMatchObject({
          reason: 'ProgressDeadlineExceeded',
          message: `ReplicaSet "${fresh?.metadata?.name}" has timed out progressing.`,
        })
        expect(late.status).toMatchObject({ replicas: 3, readyReplicas: 2, updatedReplicas: 1, unavailableReplicas: 1 })
        const conditions = [...(late.status?.conditions ?? [])].sort((a, b) => (a.type < b.type ? -1 : 1))
        bench.seen('status', withoutHashes({ ...late.status, conditions }, fresh?.metadata?.labels?.[hashLabel]))
      },
    },
    {
      title: 'paused: a new template waits, replicas do not',
      async run(bench) {
        const { kube } = bench
        const namespace = await bench.namespace()
        const at = { namespace, name: 'd' }
        await kube.create(resources.deployments, deployment('d', 1), { namespace })
        await settled(bench, namespace, 1)
        const merge = (body: object) => kube.patch(resources.deployments, at, { type: 'merge', body })
        await merge({ spec: { paused: true, replicas: 2, template: { metadata: { annotations: { v: '2' } } } } })
        const pods = await eventually(
          'two Ready pods',
          () => podsOf(bench, namespace),
          (some) => some.filter(isReady).length === 2,
        )
        expect(pods.map(({ metadata }) => metadata?.annotations?.v)).toEqual([undefined, undefined])
        expect(await setsOf(bench, namespace)).toHaveLength(1)
        await merge({ spec: { paused: false } })
        await settled(bench, namespace, 2)
        expect(await setsOf(bench, namespace)).toHaveLength(2)
      },
    },
  ],
}
