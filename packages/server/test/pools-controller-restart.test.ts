import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { resources } from '../src/kube/index.ts'
import { acquireLease, LeaseLost } from '../src/store/lease.ts'
import { eventually, usePoolCluster } from './support/pool-cluster.ts'

const c = usePoolCluster()

/** A small generator with a seed, so that a failing run can be repeated. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32
    return state / 2 ** 32
  }
}

test('a controller that is stopped anywhere leaves nothing that its successor does not finish', async () => {
  const random = randomFrom(Number(process.env.SEED ?? 7))
  const size = new Map<string, number>()
  for (let round = 0; round < 15; round += 1) {
    const controller = await c.start()
    const fresh = `r${round}`
    const isScalable = round % 2 === 1
    await c.create({ id: fresh, size: 1 + (round % 3), ...(isScalable ? { max_size: 6 } : {}) })
    size.set(fresh, 1 + (round % 3))
    for (const [id, now] of size) {
      const row = await c.row(id)
      const chance = random()
      if (row === undefined || row.status === 6 || row.status === 0 || row.status === 2) continue
      if (chance < 0.15) {
        await c.service.remove({ id, group: '' })
        size.delete(id)
      } else if (chance < 0.4) {
        // The controller may have taken the pool elsewhere between the look and the request.
        const changed = await c.put(id, { size: (now % 4) + 1, max_size: 6 }).then(
          () => true,
          () => false,
        )
        if (changed) size.set(id, (now % 4) + 1)
      }
    }
    await delay(random() * 60)
    await controller.stop()
  }

  const controller = await c.start()
  for (const [id, wanted] of size) {
    const view = await c.reaches(id, 4)
    expect(view.size).toBe(wanted)
    await eventually(`the pods of ${id}`, async () => {
      const pods = (await c.pods(id)).filter((pod) => pod.metadata?.deletionTimestamp === undefined)
      const now = await c.view(id)
      const isEnough = now?.scalable === true ? pods.length >= wanted && pods.length <= 6 : pods.length === wanted
      return { isDone: isEnough && now?.ready_count === pods.length, value: { pods: pods.length, now } }
    })
  }
  const [left] = await c.db.query<{ n: number }>('select count(*) as n from pool')
  await eventually('only living pools left', async () => {
    const [row] = await c.db.query<{ n: number }>('select count(*) as n from pool')
    return { isDone: row?.n === size.size, value: [row, left] }
  })
  const { items } = await c.kube.list(resources.deployments, {
    namespace: 'default',
    labelSelector: 'app.kubernetes.io/managed-by=podyard',
  })
  expect(items.map((d) => d.metadata?.name).sort()).toEqual([...size.keys()].map((id) => `function-agent-${id}`).sort())
  await controller.stop()
})

test('a Deployment that was made before the kill is taken over', async () => {
  const first = await c.start()
  await c.create({ id: 'adopted', size: 1 })
  await c.reaches('adopted', 4)
  await first.stop()
  // As if it had been killed after the create and before it wrote that down.
  await c.db.query(
    `update pool set status = 0, observed = '{}', version = version + 1, valid_from = now() where name = 'adopted'`,
  )
  const uid = (await c.deployment('adopted'))?.metadata?.uid
  const second = await c.start()
  await c.reaches('adopted', 4)
  expect((await c.deployment('adopted'))?.metadata?.uid).toBe(uid)
  expect(await c.story('adopted')).toContain('Adopted')
  await second.stop()
})

test('a Deployment that was removed while nobody led fails the pool', async () => {
  const first = await c.start()
  await c.create({ id: 'lost', size: 1, max_size: 2 })
  await c.reaches('lost', 4)
  await first.stop()
  await c.kube.delete(resources.deployments, { namespace: 'default', name: 'function-agent-lost' })
  const second = await c.start()
  expect(await c.reaches('lost', 5)).toMatchObject({ msg: 'deployment is deleted', ready_count: 0 })
  await second.stop()
})

test('a controller whose lease went to another one writes nothing and ends', async () => {
  const lease = await acquireLease(c.db, 'pools', 'old', 60, { force: true })
  if (lease === undefined) throw new Error('no lease')
  const old = await c.start({ lease })
  const ended = expect(old.ended).rejects.toBeInstanceOf(LeaseLost)
  await acquireLease(c.db, 'pools', 'new', 60, { force: true })
  await c.create({ id: 'fenced', size: 0 })
  await ended
  expect(await c.view('fenced')).toMatchObject({ status: 0 })
  const next = await c.start()
  await c.reaches('fenced', 4)
  await next.stop()
})
