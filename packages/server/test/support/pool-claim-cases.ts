import { describe, expect, test } from 'vitest'
import { resources } from '../../src/kube/index.ts'
import { moveClock } from './instance-rows.ts'
import type { PoolClaims } from './pool-claims.ts'
import { eventually, type PoolCluster } from './pool-cluster.ts'
import { until, untilWaiting } from './replicas.ts'

/**
 * Pools as instance requests use them: who is replaced when, and which requests make pods (pool API reference 5). On any
 * cluster.
 */
export function poolClaimCases(c: PoolCluster, t: PoolClaims): void {
  describe('a fixed pool', () => {
    test('without reuse replaces a pod as soon as an instance has it; the instance keeps it until it ends', async () => {
      await c.create({ id: 'fixed', size: 2 })
      await t.settles('fixed', 2)
      const instance = await t.claim({ pool: 'fixed', labels: { color: 'red' } })
      // Size and one more: the claimed pod belongs to no ReplicaSet any more.
      await t.settles('fixed', 2, 3)
      const pod = await t.isMarked(instance)
      expect(pod?.metadata?.ownerReferences ?? []).toEqual([])
      expect(pod?.metadata?.labels).toMatchObject({ app: instance.podName, instanceStatus: 'running', color: 'red' })
      expect(pod?.metadata?.annotations).toMatchObject({ 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false' })
      await eventually('two ready pods of its own', async () => {
        const view = await c.view('fixed')
        return { isDone: view?.ready_count === 2 && view.msg === 'Running', value: view }
      })

      await t.release(instance)
      await t.isGone(instance)
      await t.settles('fixed', 2)
      expect(await t.retired('fixed')).toEqual(['released'])
    })

    test('with reuse replaces a pod when it is gone; there are never more than its size', async () => {
      await c.create({ id: 'reused', size: 2, reuse: true })
      await t.settles('reused', 2)
      const instance = await t.claim({ pool: 'reused' })
      const pod = await t.isMarked(instance)
      expect(pod?.metadata?.labels).toMatchObject({ app: 'function-agent-reused', 'schedule-policy': 'monopoly' })
      expect(pod?.metadata?.ownerReferences).toHaveLength(1)
      await t.settles('reused', 1, 2)
      const second = await t.claim({ pool: 'reused' })
      await t.isMarked(second)
      await t.settles('reused', 0, 2)
      await t.release(instance)
      await t.isGone(instance)
      const [fresh] = await t.settles('reused', 1, 2)
      expect([instance.podName, second.podName]).not.toContain(fresh)
    })

    test('never hands out a pod again that an instance had, and never two instances one pod', async () => {
      await c.create({ id: 'round', size: 3 })
      await t.settles('round', 3)
      const seen = new Set<string>()
      for (let i = 0; i < 4; i += 1) {
        const instances = await Promise.all([1, 2, 3].map(() => t.claim({ pool: 'round', timeout_ms: 60_000 })))
        for (const instance of instances) seen.add(instance.podUid)
        await Promise.all(instances.map(t.release))
      }
      expect(seen.size).toBe(12)
      await t.settles('round', 3)
    })

    test('is not asked for steps', async () => {
      await c.create({ id: 'full', size: 1 })
      await t.settles('full', 1)
      const instance = await t.claim({ pool: 'full' })
      await t.isMarked(instance)
      const next = await t.claim({ pool: 'full', timeout_ms: 60_000 })
      expect(next.podName).not.toBe(instance.podName)
    })
  })

  describe('a scalable pool', () => {
    test('counts what is held, and makes one pod for each request that waits, up to max_size', async () => {
      await c.create({ id: 'grows', size: 1, max_size: 3 })
      await t.settles('grows', 1)
      const first = await t.claim({ pool: 'grows' })
      expect(first.isWarm).toBe(true)
      expect((await t.isMarked(first))?.metadata?.ownerReferences ?? []).toEqual([])
      const [second, third] = await Promise.all([1, 2].map(() => t.claim({ pool: 'grows', timeout_ms: 60_000 })))
      expect([second?.isWarm, third?.isWarm]).toEqual([false, false])
      const pods = await t.pods('grows')
      expect(pods).toHaveLength(3)
      await eventually('three ready pods', async () => {
        const view = await c.view('grows')
        return { isDone: view?.ready_count === 3 && view.msg === 'Running', value: view }
      })

      // Full: the next one waits, and its step is taken when there is room.
      const fourth = t.claim({ pool: 'grows', timeout_ms: 60_000 })
      await untilWaiting(c.db, 1)
      expect(await t.pods('grows')).toHaveLength(3)
      await t.release(first)
      expect((await fourth).podName).not.toBe(first.podName)
    })

    test('a request makes one pod; when another takes it, it fails after its 120 s and makes no second one', async () => {
      await c.create({ id: 'taken', size: 0, max_size: 5, group: 'takers' })
      await c.reaches('taken', 4)
      await t.rest()
      const loser = t.replica.claim({ pool: 'taken' })
      await untilWaiting(c.db, 1)
      const winner = t.claim({ group: 'takers', priority: 5, timeout_ms: 60_000 })
      await untilWaiting(c.db, 2)
      const [wait] = await c.db.query<{ seconds: number }>(
        `select extract(epoch from deadline - arrived_at)::int as seconds from waiter order by seq limit 1`,
      )
      expect(wait).toEqual({ seconds: 120 })

      await t.lead()
      const instance = await winner
      expect(instance.isWarm).toBe(false)
      await t.isMarked(instance)
      expect(await c.db.query('select wants_step from line')).toEqual([{ wants_step: false }])
      await moveClock(c.db, 120)
      expect(await loser).toMatchObject({ kind: 'refused', refusal: { kind: 'timeout' } })
      // It lost, and nothing was made for it although there was room.
      expect(await t.pods('taken')).toHaveLength(1)
      expect((await c.story('taken')).filter((reason) => reason === 'PodsCreated')).toHaveLength(1)
    })

    test('a request that leaves takes its step along', async () => {
      await c.create({ id: 'left', size: 0, max_size: 5 })
      await c.reaches('left', 4)
      await t.rest()
      const gone = new AbortController()
      const claim = t.replica.claim({ pool: 'left' }, gone.signal)
      await untilWaiting(c.db, 1)
      gone.abort()
      await claim
      await t.lead()
      // A look at the pool has been made when its next change is done.
      await c.put('left', { size: 1, max_size: 5 })
      await t.settles('left', 1)
      expect(await t.pods('left')).toHaveLength(1)
    })

    test('a pod beyond its size has the scaled idle time, one within it the reserved one', async () => {
      await c.create({ id: 'policies', size: 1, max_size: 3, idle_recycle_time: { reserved: -1, scaled: 4_000 } })
      const [reserved] = await t.settles('policies', 1)
      const first = await t.claim({ pool: 'policies' })
      const second = await t.claim({ pool: 'policies', timeout_ms: 60_000 })
      expect(first.podName).toBe(reserved)
      const labelOf = async (instance: typeof first) =>
        (await t.pod(instance))?.metadata?.labels?.['yr-idle-to-recycle']
      expect([await labelOf(first), await labelOf(second)]).toEqual(['unlimited', '4000'])
    })
  })

  describe('an instance whose pod dies', () => {
    test.each([
      ['fixed', {}],
      ['fixed-reused', { reuse: true }],
      ['scalable', { max_size: 3 }],
    ])('is lost, and the pool of kind %s has another pod', async (id, more) => {
      await c.create({ id, size: 1, ...more })
      await t.settles(id, 1)
      const instance = await t.claim({ pool: id })
      await t.isMarked(instance)
      await c.kube.delete(resources.pods, { namespace: c.namespace, name: instance.podName })
      const lost = await until(
        () => t.get(instance),
        (now) => now?.state === 'lost',
      )
      expect(lost).toMatchObject({ reason: 'its pod is gone' })
      const next = await t.claim({ pool: id, timeout_ms: 60_000 })
      expect(next.podUid).not.toBe(instance.podUid)
    })
  })
}
