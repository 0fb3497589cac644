import { expect } from 'vitest'
import { resources } from '../../../packages/server/src/kube/index.ts'
import type { Area } from './case.ts'
import { condition, container, isReady, pod } from './objects.ts'
import { until } from './wait.ts'
import { openWatch } from './watch-log.ts'

export const podArea: Area = {
  title: 'Pods',
  cases: [
    {
      title: 'a whole life in a watch: Pending, a node, Running and Ready with addresses, marked, gone',
      async run({ kube, namespace: ns, seen }) {
        const namespace = await ns()
        const { resourceVersion } = await kube.list(resources.pods, { namespace })
        const watch = openWatch(kube, resources.pods, { namespace, resourceVersion })
        const spec = {
          containers: [container, { ...container, name: 'd' }],
          initContainers: [{ ...container, name: 'i' }],
        }
        await kube.create(resources.pods, pod('a', { spec }), { namespace })
        await watch.until('a Ready pod', () => watch.events.some(({ object }) => isReady(object)))
        const ready = watch.events.find(({ object }) => isReady(object))?.object
        await kube.delete(resources.pods, { namespace, name: 'a' })
        await watch.until('the end', () => watch.events.at(-1)?.type === 'DELETED')

        const [first] = watch.events
        expect(first).toMatchObject({ type: 'ADDED', object: { status: { phase: 'Pending' } } })
        expect(first?.object.spec?.nodeName).toBeUndefined()
        const bound = watch.events.find(({ object }) => object.spec?.nodeName !== undefined)?.object
        expect(bound?.status?.phase).toBe('Pending')
        expect(condition(bound ?? {}, 'PodScheduled')).toMatchObject({ status: 'True' })
        expect(ready?.status).toMatchObject({ phase: 'Running' })
        const node = await kube.get(resources.nodes, { name: ready?.spec?.nodeName ?? '' })
        const address = node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address
        expect(ready?.status?.hostIP).toBe(address)
        expect(ready?.status?.hostIPs).toEqual([{ ip: address }])
        expect(ready?.status?.podIP).toMatch(/^10\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.\d+\.\d+$/)
        expect(ready?.status?.podIPs).toEqual([{ ip: ready?.status?.podIP }])
        expect(ready?.status?.startTime).toBeDefined()
        const containers = ready?.status?.containerStatuses?.map(({ name, ready: is, restartCount, state }) => ({
          name,
          is,
          restartCount,
          states: Object.keys(state ?? {}),
        }))
        expect(containers).toEqual([
          { name: 'c', is: true, restartCount: 0, states: ['running'] },
          { name: 'd', is: true, restartCount: 0, states: ['running'] },
        ])
        const [init] = ready?.status?.initContainerStatuses ?? []
        expect(init?.state?.terminated).toMatchObject({ exitCode: 0, reason: 'Completed' })
        const conditions = ready?.status?.conditions?.filter(({ status }) => status === 'True').map(({ type }) => type)
        expect(conditions).toEqual(expect.arrayContaining(['ContainersReady', 'Initialized', 'PodScheduled', 'Ready']))
        const marked = watch.events.find(({ object }) => object.metadata?.deletionTimestamp !== undefined)
        expect(marked).toMatchObject({ type: 'MODIFIED', object: { metadata: { deletionGracePeriodSeconds: 30 } } })
        seen('first', first)
        seen('spec', ready?.spec?.tolerations)
        await watch.stop()
      },
    },
    {
      title: 'many pods made at once each come to run with an address of their own',
      async run({ kube, namespace: ns }) {
        const namespace = await ns()
        await Promise.all(
          Array.from({ length: 40 }, (_, i) => kube.create(resources.pods, pod(`p${i}`), { namespace })),
        )
        let addresses: (string | undefined)[] = []
        await until('all to be Ready', async () => {
          const { items } = await kube.list(resources.pods, { namespace, pageSize: 7 })
          addresses = items.map(({ status }) => status?.podIP)
          return items.filter(isReady).length === 40
        })
        expect(new Set(addresses).size).toBe(40)
      },
    },
    {
      title: 'labels and annotations of a running pod change without touching it',
      async run({ kube, namespace: ns }) {
        const namespace = await ns()
        const at = { namespace, name: 'a' }
        await kube.create(resources.pods, pod('a'), { namespace })
        await until('a Ready pod', async () => isReady(await kube.get(resources.pods, at)))
        const before = await kube.get(resources.pods, at)
        const after = await kube.patch(resources.pods, at, {
          type: 'merge',
          body: { metadata: { labels: { claim: 'x' }, annotations: { 'podyard.example/note': 'y' } } },
        })
        expect(after.metadata?.uid).toBe(before.metadata?.uid)
        expect(after.metadata?.generation).toBe(before.metadata?.generation)
        expect(after.status).toEqual(before.status)
        expect(after.spec).toEqual(before.spec)
      },
    },
  ],
}
