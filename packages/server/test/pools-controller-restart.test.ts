import { expect, test } from 'vitest'
import { storageUnavailable } from '../src/errors.ts'
import { type KubeClient, resources } from '../src/kube/index.ts'
import type { Database } from '../src/store/database.ts'
import { acquireLease, LeaseLost } from '../src/store/lease.ts'
import { eventually, usePoolCluster } from './support/pool-cluster.ts'
import { poolRestarts } from './support/pool-restarts.ts'

const c = usePoolCluster()

poolRestarts(c, { killed: 40, stopped: 10 })

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
    const pods = await c.pods('unheard')
    return { isDone: pods.length === 5, value: pods.length }
  })
  catchUp()
  expect(await c.reaches('unheard', 4)).toMatchObject({ ready_count: 5 })
  expect(await c.pods('unheard')).toHaveLength(5)
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

test('what is made and deleted while no watch tells of it is not waited for', async () => {
  const { promise: caughtUp, resolve: catchUp } = Promise.withResolvers<void>()
  const kube: KubeClient = {
    ...c.kube,
    async *watch(resource, options) {
      await caughtUp
      yield* c.kube.watch(resource, options)
    },
  }
  const controller = await c.start({ kube })
  await c.create({ id: 'unseen', size: 0, horizontal_pod_autoscaler_spec: '{"maxReplicas":2}' })
  await c.reaches('unseen', 4)
  await c.service.remove({ id: 'unseen', group: '' })
  await c.isRemoved('unseen')
  expect(await c.deployment('unseen')).toBeUndefined()
  expect(await c.hpa('unseen')).toBeUndefined()
  catchUp()
  await controller.stop()
})
