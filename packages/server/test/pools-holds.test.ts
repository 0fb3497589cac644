import { describe, expect, test } from 'vitest'
import { resources } from '../src/kube/index.ts'
import { insertReady, moveClock } from './support/instance-rows.ts'
import { usePoolClaims } from './support/pool-claims.ts'
import { eventually, usePoolCluster } from './support/pool-cluster.ts'
import { poolHoldCases } from './support/pool-hold-cases.ts'

/** Which pods can be had while nodes, pools and controllers come and go, and what becomes of those that are held. */
const c = usePoolCluster({ limitMs: 60_000, nodes: 2 })
const t = usePoolClaims(c)

async function cordonAll(unschedulable: boolean): Promise<void> {
  const { items } = await c.kube.list(resources.nodes)
  for (const { metadata } of items)
    await c.kube.patch(
      resources.nodes,
      { name: metadata?.name ?? '' },
      { type: 'merge', body: { spec: { unschedulable } } },
    )
}

describe('a node', () => {
  const onNode = async (node: string, pool: string) => {
    const names = new Set(
      (await t.pods(pool)).filter((pod) => pod.spec?.nodeName === node).map((p) => p.metadata?.name),
    )
    return (await t.ready(pool)).filter((name) => names.has(name)).length
  }
  const noneOn = (node: string, pool: string) =>
    eventually(`no pod of ${pool} on ${node} can be had`, async () => {
      const count = await onNode(node, pool)
      return { isDone: count === 0, value: count }
    })
  async function firstNode(pool: string): Promise<string> {
    const [pod] = await t.pods(pool)
    return pod?.spec?.nodeName ?? ''
  }

  test('that is cordoned has no pods to hand out until it is uncordoned', async () => {
    await c.create({ id: 'cordon', size: 6 })
    await t.settles('cordon', 6)
    const node = await firstNode('cordon')
    const cordon = (unschedulable: boolean) =>
      c.kube.patch(resources.nodes, { name: node }, { type: 'merge', body: { spec: { unschedulable } } })
    await cordon(true)
    await noneOn(node, 'cordon')
    expect(await t.pods('cordon')).toHaveLength(6)
    await cordon(false)
    await t.settles('cordon', 6)
  })

  test('that is not ready has none, either; what is held on it stays', async () => {
    await c.create({ id: 'node', size: 6, reuse: true })
    await t.settles('node', 6)
    const instance = await t.claim({ pool: 'node' })
    const set = (status: string) =>
      c.kube.patch(
        resources.nodes,
        { name: instance.node },
        { type: 'merge', body: { status: { conditions: [{ type: 'Ready', status, reason: 'Test', message: '' }] } } },
        { subresource: 'status' },
      )
    await set('Unknown')
    try {
      await noneOn(instance.node, 'node')
      expect((await t.get(instance))?.state).toBe('running')
    } finally {
      await set('True')
    }
    await eventually('all but the held one can be had', async () => {
      const ready = await t.ready('node')
      return { isDone: ready.length === 5, value: ready }
    })
  })
})

describe('a pod that is not ready any more', () => {
  test('cannot be had, and can be again', async () => {
    await c.create({ id: 'flips', size: 1 })
    const [name = ''] = await t.settles('flips', 1)
    const [pod] = await t.pods('flips')
    const path = '/spec/containers/0/image'
    // A status that somebody else writes is put right by the kubelet within a moment, which may never be seen; an image
    // that cannot be pulled keeps the container from running.
    const setImage = (value: string | undefined) =>
      c.kube.patch(
        resources.pods,
        { namespace: c.namespace, name },
        { type: 'json', operations: [{ op: 'replace', path, value }] },
      )
    await setImage('No-Image')
    await t.settles('flips', 0, 1)
    await setImage(pod?.spec?.containers[0]?.image)
    expect(await t.settles('flips', 1)).toEqual([name])
  })
})

describe('idle pods', () => {
  test('that a request asked for and nobody took are recycled, those within the size are kept', async () => {
    await c.create({ id: 'idle', size: 1, max_size: 3, idle_recycle_time: { reserved: -1, scaled: 50_000 } })
    await t.settles('idle', 1)
    const held = await t.claim({ pool: 'idle' })
    await cordonAll(true)
    const gone = new AbortController()
    const claim = t.replica.claim({ pool: 'idle' }, gone.signal)
    // Its pod is made, and cannot start before it leaves.
    await t.settles('idle', 0, 2)
    gone.abort()
    await claim
    await cordonAll(false)
    const [scaled] = await t.settles('idle', 1, 2)
    await t.release(held)
    // The scaled one counts: nothing is made within the size.
    expect(await t.settles('idle', 1)).toEqual([scaled])
    await moveClock(c.db, 50_000)
    const reserved = await eventually('another pod', async () => {
      const [now] = await t.ready('idle')
      return { isDone: now !== undefined && now !== scaled, value: now }
    })
    expect(await t.retired('idle')).toEqual(['released', 'recycled'])
    const [pod] = await t.pods('idle')
    expect([pod?.metadata?.name, pod?.metadata?.labels?.['yr-idle-to-recycle']]).toEqual([reserved, 'unlimited'])
  })

  test('with an idle time within the size are recycled and made anew, again and again', async () => {
    await c.create({ id: 'churn', size: 1, max_size: 2, idle_recycle_time: { reserved: 50_000, scaled: 0 } })
    let [name] = await t.settles('churn', 1)
    for (let i = 0; i < 2; i += 1) {
      await moveClock(c.db, 50_000)
      const before = name
      name = await eventually('another pod', async () => {
        const [now] = await t.ready('churn')
        return { isDone: now !== undefined && now !== before, value: now }
      })
    }
    expect(await t.retired('churn')).toEqual(['recycled', 'recycled'])
    await eventually('the story tells', async () => {
      const story = await c.story('churn')
      return { isDone: story.includes('Recycled'), value: story }
    })
  })

  test('of a fixed pool go by their label, and its Deployment replaces them', async () => {
    await c.create({ id: 'label', size: 1, labels: { 'yr-idle-to-recycle': 50_000 } })
    const [name] = await t.settles('label', 1)
    await moveClock(c.db, 50_000)
    await eventually('another pod', async () => {
      const [now] = await t.ready('label')
      return { isDone: now !== undefined && now !== name, value: now }
    })
    expect(await t.retired('label')).toEqual(['recycled'])
  })

  test('that are unlimited are never recycled', async () => {
    await c.create({ id: 'unlimited', size: 1, labels: { 'yr-idle-to-recycle': 'unlimited' } })
    await c.create({ id: 'limited', size: 1, labels: { 'yr-idle-to-recycle': 50_000 } })
    const [name] = await t.settles('unlimited', 1)
    const [other] = await t.settles('limited', 1)
    await moveClock(c.db, 50_000)
    await eventually('the limited one went', async () => {
      const [now] = await t.ready('limited')
      return { isDone: now !== undefined && now !== other, value: now }
    })
    expect(await t.ready('unlimited')).toEqual([name])
  })
})

poolHoldCases(c, t)

describe('a controller that takes over', () => {
  test('finds what its predecessor left: pods that are gone, pods that nobody told of, pods to be deleted', async () => {
    await c.create({ id: 'takeover', size: 4 })
    await t.settles('takeover', 4)
    const lost = await t.claim({ pool: 'takeover' })
    await t.isMarked(lost)
    const ended = await t.claim({ pool: 'takeover', timeout_ms: 60_000 })
    await t.isMarked(ended)
    await t.settles('takeover', 4, 6)
    await t.rest()
    const [untold = '', died = ''] = await t.ready('takeover')
    await c.db.query('delete from ready where pod_name = $1', [untold])
    await c.kube.delete(resources.pods, { namespace: c.namespace, name: died })
    await c.kube.delete(resources.pods, { namespace: c.namespace, name: lost.podName })
    await t.release(ended)
    const pool = await c.row('takeover')
    const [stranger = ''] = await insertReady(c.db, pool?.seq ?? 0, 1)

    await t.lead()
    const ready = await t.settles('takeover', 4)
    expect(ready).toContain(untold)
    expect(ready).not.toContain(died)
    expect(ready).not.toContain(stranger)
    expect((await t.get(lost))?.state).toBe('lost')
    await t.isGone(ended)
  })

  test('repairs what somebody broke in the tables while it led, and counts it', async () => {
    await c.create({ id: 'repairs', size: 2 })
    const [name] = await t.settles('repairs', 2)
    const corrections = async () => {
      const text = await c.metrics.registry.metrics()
      return Number(/podyard_pool_hold_corrections_total (\d+)/.exec(text)?.[1] ?? 0)
    }
    const before = await corrections()
    await c.db.query('delete from ready where pod_name = $1', [name])
    await t.settles('repairs', 2)
    await eventually('a correction is counted', async () => {
      const now = await corrections()
      return { isDone: now > before, value: now }
    })
  })

  test('deletes a pod that bears marks of an instance that nobody knows', async () => {
    await c.create({ id: 'orphan', size: 1 })
    await t.settles('orphan', 1)
    const instance = await t.claim({ pool: 'orphan' })
    await t.isMarked(instance)
    await t.settles('orphan', 1, 2)
    // As when a database is put back to an earlier state.
    await c.db.query('delete from instance where id = $1', [instance.id])
    await t.isGone(instance)
    await t.settles('orphan', 1)
    expect(await t.retired('orphan')).toEqual(['orphaned'])
  })
})
