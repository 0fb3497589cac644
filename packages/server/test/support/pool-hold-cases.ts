import { describe, expect, test } from 'vitest'
import { resources } from '../../src/kube/index.ts'
import type { PoolClaims } from './pool-claims.ts'
import { eventually, type PoolCluster } from './pool-cluster.ts'
import { until } from './replicas.ts'

/** What becomes of held pods when their pool shrinks, drains or goes. On any cluster. */
export function poolHoldCases(c: PoolCluster, t: PoolClaims): void {
  describe('a pool that shrinks', () => {
    test('gives up idle pods only: a fixed one keeps replicas for what is held', async () => {
      await c.create({ id: 'shrinks', size: 4, reuse: true })
      await t.settles('shrinks', 4)
      const held = await Promise.all([1, 2].map(() => t.claim({ pool: 'shrinks' })))
      const shared = await t.claim({
        pool: 'shrinks',
        schedule_policy: 'shared',
        resources: { requests: { cpu: '1m' } },
      })
      await c.put('shrinks', { size: 1 })
      await c.reaches('shrinks', 4)
      await eventually('three replicas, for what is held', async () => {
        const [deployment, pods] = [await c.deployment('shrinks'), await t.pods('shrinks')]
        const value = [deployment?.spec?.replicas, pods.length]
        return { isDone: value.every((n) => n === 3), value }
      })
      for (const instance of [...held, shared]) {
        expect((await t.get(instance))?.state).toBe('running')
        expect(await t.pod(instance)).toBeDefined()
      }
      for (const instance of held) await t.release(instance)
      await eventually('one replica, the shared one', async () => {
        const pods = await t.pods('shrinks')
        return { isDone: pods.length === 1 && pods[0]?.metadata?.uid === shared.podUid, value: pods.length }
      })
    })

    test('gives up idle pods only: a scalable one stays above max_size for what is held', async () => {
      await c.create({ id: 'above', size: 3, max_size: 4 })
      await t.settles('above', 3)
      const held = await Promise.all([1, 2].map(() => t.claim({ pool: 'above' })))
      await c.put('above', { size: 1, max_size: 1 })
      await t.settles('above', 0, 2)
      for (const instance of held) expect((await t.get(instance))?.state).toBe('running')
      expect(await t.retired('above')).toEqual(['shrunk'])
      for (const instance of held) await t.release(instance)
      await t.settles('above', 1)
    })
  })

  describe.each([
    ['a fixed pool', 'fixed', {}],
    ['a fixed pool with reuse', 'reused', { reuse: true }],
    ['a scalable pool', 'scalable', { max_size: 4 }],
  ])('%s', (_, id, more) => {
    test('that is drained hands out nothing new, gives up what is idle, and keeps what is held', async () => {
      await c.create({ id, size: 2, ...more })
      await t.settles(id, 2)
      const held = await t.claim({ pool: id })
      await t.isMarked(held)
      const shared = await t.claim({
        pool: id,
        schedule_policy: 'shared',
        resources: { requests: { cpu: '1m' } },
        timeout_ms: 60_000,
      })
      await c.put(id, { drain: true })
      expect(await t.replica.claim({ pool: id })).toMatchObject({ kind: 'refused', refusal: { kind: 'closed' } })
      await t.settles(id, 0, 2)
      const view = await eventually('the pool says so', async () => {
        const now = await c.view(id)
        return { isDone: now?.status === 4 && now.msg.includes('2 pods are held'), value: now }
      })
      expect(view).toMatchObject({ size: 2, drain: true })
      expect(view.msg).toContain('draining: nothing new is handed out')
      for (const instance of [held, shared]) expect((await t.get(instance))?.state).toBe('running')

      await t.release(held)
      await t.release(shared)
      await t.settles(id, 0)
      await eventually('nothing is held', async () => {
        const now = await c.view(id)
        return { isDone: now?.msg === 'Running; draining: nothing new is handed out', value: now }
      })
      await c.put(id, { drain: false })
      await t.settles(id, 2)
      await eventually('it is as before', async () => {
        const now = await c.view(id)
        return { isDone: now?.msg === 'Running' && now.ready_count === 2, value: now }
      })
    })

    test('that is deleted leaves a pod to the exclusive instance that has it, until that ends', async () => {
      await c.create({ id, size: 2, ...more })
      await t.settles(id, 2)
      const held = await t.claim({ pool: id })
      const shared = await t.claim({
        pool: id,
        schedule_policy: 'shared',
        resources: { requests: { cpu: '1m' } },
        timeout_ms: 60_000,
      })
      await c.service.remove({ id, group: '' })
      await c.isRemoved(id)
      // What is shared goes with the pool.
      await until(
        () => t.get(shared),
        (now) => now?.state === 'lost',
      )
      await eventually('only the held pod is left', async () => {
        const { items } = await c.kube.list(resources.pods, {
          namespace: c.namespace,
          labelSelector: 'app.kubernetes.io/managed-by=podyard',
        })
        const left = items
          .filter((pod) => pod.metadata?.deletionTimestamp === undefined)
          .map((pod) => pod.metadata?.uid)
        return { isDone: left.length === 1 && left[0] === held.podUid, value: left }
      })
      expect((await t.get(held))?.state).toBe('running')
      await t.release(held)
      await t.isGone(held)
    })
  })

  test('a pool whose Deployment somebody took from its pods goes with them, but for what exclusive instances have', async () => {
    await c.create({ id: 'loose', size: 3, max_size: 4 })
    await t.settles('loose', 3)
    const held = await t.claim({ pool: 'loose' })
    const shared = await t.claim({ pool: 'loose', schedule_policy: 'shared', resources: { requests: { cpu: '1m' } } })
    const at = { namespace: c.namespace, name: 'function-agent-loose' }
    await c.kube.delete(resources.deployments, at, { propagationPolicy: 'Orphan' })
    await c.reaches('loose', 5)
    await c.service.remove({ id: 'loose', group: '' })
    await c.isRemoved('loose')
    await until(
      () => t.get(shared),
      (now) => now?.state === 'lost',
    )
    await eventually('only the held pod is left', async () => {
      const { items } = await c.kube.list(resources.pods, {
        namespace: c.namespace,
        labelSelector: 'app.kubernetes.io/managed-by=podyard',
      })
      const left = items.filter((pod) => pod.metadata?.deletionTimestamp === undefined).map((pod) => pod.metadata?.uid)
      return { isDone: left.length === 1 && left[0] === held.podUid, value: left }
    })
    expect((await t.get(held))?.state).toBe('running')
  })
}
