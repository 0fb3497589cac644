import { describe, expect, test } from 'vitest'
import { resources } from '../src/kube/index.ts'
import { poolClaimCases } from './support/pool-claim-cases.ts'
import { usePoolClaims } from './support/pool-claims.ts'
import { eventually, usePoolCluster } from './support/pool-cluster.ts'
import { until } from './support/replicas.ts'

const c = usePoolCluster({ limitMs: 60_000 })
const t = usePoolClaims(c)

poolClaimCases(c, t)

describe('a cluster in trouble', () => {
  test('a pod that the cluster refuses is tried again for the request; the pool says why', async () => {
    await c.create({ id: 'refused', size: 0, max_size: 2 })
    await c.reaches('refused', 4)
    const clear = c.simulator.faults.inject({ match: { method: 'POST', plural: 'pods' }, answer: 500 })
    const claim = t.claim({ pool: 'refused', timeout_ms: 60_000 })
    await eventually('the pool says why', async () => {
      const view = await c.view('refused')
      return { isDone: view?.msg.startsWith('Running; ') === true, value: view?.msg }
    })
    clear()
    await claim
    expect(await t.pods('refused')).toHaveLength(1)
    await eventually('the pool says nothing any more', async () => {
      const view = await c.view('refused')
      return { isDone: view?.msg === 'Running', value: view?.msg }
    })
  })

  test('an instance whose containers ended for good is lost, and the pod is deleted', async () => {
    await c.create({ id: 'ends', size: 1, max_size: 2 })
    await t.settles('ends', 1)
    const instance = await t.claim({ pool: 'ends' })
    await t.isMarked(instance)
    const body = { status: { phase: 'Failed', reason: 'Evicted', conditions: [] } }
    await c.kube.patch(
      resources.pods,
      { namespace: c.namespace, name: instance.podName },
      { type: 'merge', body },
      { subresource: 'status' },
    )
    const lost = await until(
      () => t.get(instance),
      (now) => now?.state === 'lost',
    )
    expect(lost).toMatchObject({ reason: 'its pod ended' })
    await t.isGone(instance)
    await t.settles('ends', 1)
  })
})
