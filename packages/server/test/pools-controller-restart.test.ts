import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { storageUnavailable } from '../src/errors.ts'
import { type KubeClient, resources } from '../src/kube/index.ts'
import type { Database } from '../src/store/database.ts'
import { acquireLease, LeaseLost } from '../src/store/lease.ts'
import { mortal } from './support/mortal.ts'
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

/** What the pools of a long story must come to: sizes as last accepted, and for scalable ones the most there may be. */
type Wanted = { size: number; most: number }

/** Changes and deletes pools at random, and makes one more; only what was acknowledged counts. */
async function interfere(round: number, wanted: Map<string, Wanted>, random: () => number): Promise<void> {
  const id = `r${round}`
  const size = 1 + (round % 3)
  await c.create({ id, size, ...(round % 2 === 1 ? { max_size: 6 } : {}) })
  wanted.set(id, { size, most: size })
  for (const [id, { most }] of [...wanted]) {
    const chance = random()
    if (chance < 0.12) {
      await c.service.remove({ id, group: '' })
      wanted.delete(id)
    } else if (chance < 0.4) {
      const size = 1 + Math.floor(random() * 4)
      // While another change is under way it is refused.
      const isAccepted = await c.put(id, { size, max_size: 6 }).then(
        () => true,
        () => false,
      )
      if (isAccepted) wanted.set(id, { size, most: Math.max(most, size) })
    }
  }
}

async function checkAll(wanted: ReadonlyMap<string, Wanted>): Promise<void> {
  for (const [id, { size, most }] of wanted) {
    const view = await c.reaches(id, 4)
    expect(view).toMatchObject({ size, msg: 'Running' })
    await eventually(`the pods of ${id}`, async () => {
      const pods = (await c.pods(id)).filter((pod) => pod.metadata?.deletionTimestamp === undefined)
      const view = await c.view(id)
      const isRight = view?.scalable === true ? pods.length >= size && pods.length <= most : pods.length === size
      return { isDone: isRight && view?.ready_count === pods.length, value: { pods: pods.length, size, most, view } }
    })
  }
  await eventually('only what is wanted left', async () => {
    const rows = await c.db.query<{ name: string }>('select name from pool')
    return { isDone: rows.length === wanted.size, value: rows }
  })
  const names = [...wanted.keys()].map((id) => `function-agent-${id}`).sort()
  const labelSelector = 'app.kubernetes.io/managed-by=podyard'
  const deployments = await c.kube.list(resources.deployments, { namespace: 'default', labelSelector })
  expect(deployments.items.map((item) => item.metadata?.name).sort()).toEqual(names)
  await eventually('no pod without a pool', async () => {
    const { items } = await c.kube.list(resources.pods, { namespace: 'default', labelSelector })
    const orphans = items.filter((pod) => !names.includes(pod.metadata?.labels?.app ?? ''))
    return { isDone: orphans.length === 0, value: orphans.map((pod) => pod.metadata?.name) }
  })
}

async function clear(): Promise<void> {
  const rows = await c.db.query<{ name: string }>('select name from pool')
  for (const { name } of rows) await c.service.remove({ id: name, group: '' })
  const controller = await c.start()
  for (const { name } of rows) await c.isRemoved(name)
  await controller.stop()
}

test('a controller that is killed at any call leaves nothing that its successor does not finish', async () => {
  const random = randomFrom(Number(process.env.SEED ?? 7))
  const wanted = new Map<string, Wanted>()
  for (let round = 0; round < 40; round += 1) {
    const process = mortal(c.kube, c.db, 1 + Math.floor(random() * 60), random() < 0.5)
    const controller = await c.start({ kube: process.kube, db: process.db })
    await interfere(round, wanted, random)
    await Promise.race([process.death, delay(300)])
    await controller.stop().catch(() => {})
    await process.arrived()
    if (wanted.size > 8) wanted.delete(await removeOldest(wanted))
  }
  const controller = await c.start()
  await checkAll(wanted)
  await controller.stop()
  await clear()
}, 60_000)

async function removeOldest(wanted: ReadonlyMap<string, Wanted>): Promise<string> {
  const [id = ''] = wanted.keys()
  await c.service.remove({ id, group: '' })
  return id
}

test('a controller that is told to stop at any moment, too', async () => {
  const random = randomFrom(Number(process.env.SEED ?? 11))
  const wanted = new Map<string, Wanted>()
  for (let round = 0; round < 10; round += 1) {
    const controller = await c.start()
    await interfere(round, wanted, random)
    await delay(random() * 60)
    await controller.stop()
  }
  const controller = await c.start()
  await checkAll(wanted)
  await controller.stop()
  await clear()
})

test('an answer that gets lost makes no second object, even while the watch is behind', async () => {
  const { promise: caughtUp, resolve: catchUp } = Promise.withResolvers<void>()
  let lost = 0
  const kube: KubeClient = {
    ...c.kube,
    create: async (...args) => {
      const created = await c.kube.create(...args)
      lost += 1
      // The first of each four creations is carried out and never heard of.
      if (lost % 4 === 1) throw new Error('the connection was closed before the answer was complete')
      return created
    },
    async *watch(resource, options) {
      for await (const event of c.kube.watch(resource, options)) {
        if (resource.plural === 'pods') await caughtUp
        yield event
      }
    },
  }
  const controller = await c.start({ kube })
  await c.create({ id: 'unheard', size: 5, max_size: 9 })
  await eventually('all pods made', async () => {
    const story = await c.story('unheard')
    return { isDone: story.includes('PodsCreated'), value: story }
  })
  expect(await c.pods('unheard')).toHaveLength(5)
  catchUp()
  expect(await c.reaches('unheard', 4)).toMatchObject({ ready_count: 5 })
  expect(lost).toBe(6)
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

test('a database that goes away and comes back stops nothing for good', async () => {
  let isDown = false
  let refused = 0
  const refuse = () => {
    refused += 1
    return Promise.reject(storageUnavailable(new Error('down')))
  }
  const db: Database = {
    ...c.db,
    run: (...args) => (isDown ? refuse() : c.db.run(...args)),
    query: (...args) => (isDown ? refuse() : c.db.query(...args)),
    pool: new Proxy(c.db.pool, {
      get: (target, name) =>
        name === 'connect' ? () => (isDown ? refuse() : target.connect()) : Reflect.get(target, name, target),
    }),
  }
  const controller = await c.start({ db })
  await c.create({ id: 'before', size: 1 })
  await c.reaches('before', 4)
  isDown = true
  await c.create({ id: 'during', size: 1 })
  await c.put('before', { size: 2 })
  await eventually('several tries', async () => ({ isDone: refused >= 3, value: refused }))
  isDown = false
  expect(await c.reaches('before', 4)).toMatchObject({ size: 2, ready_count: 2 })
  expect(await c.reaches('during', 4)).toMatchObject({ ready_count: 1 })
  await controller.stop()
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
