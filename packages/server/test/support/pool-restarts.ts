import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'vitest'
import { resources } from '../../src/kube/index.ts'
import { beforeRetry, removeAllPools } from './before-retry.ts'
import { mortal } from './mortal.ts'
import { eventually, type PoolCluster, type RunningController } from './pool-cluster.ts'

/** A small generator with a seed, so that a failing run can be repeated. */
export function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32
    return state / 2 ** 32
  }
}

/** What the pools of a long story must come to: sizes as last accepted, and for scalable ones the most there may be. */
export type Wanted = { size: number; most: number }

/** Changes and deletes pools at random, and makes one more; only what was acknowledged counts. */
export async function interfere(
  c: PoolCluster,
  round: number,
  wanted: Map<string, Wanted>,
  random: () => number,
): Promise<void> {
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

/** Waits until every pool is as wanted, as a whole: none of its members is right for long before the others are. */
export async function checkAll(c: PoolCluster, wanted: ReadonlyMap<string, Wanted>): Promise<void> {
  for (const [id, { size, most }] of wanted) {
    await eventually(`pool ${id} as wanted`, async () => {
      const pods = (await c.pods(id)).filter((pod) => pod.metadata?.deletionTimestamp === undefined)
      const view = await c.view(id)
      const isRunning = view?.status === 4 && view.size === size && view.msg === 'Running'
      const isRight = view?.scalable === true ? pods.length >= size && pods.length <= most : pods.length === size
      const isDone = isRunning && isRight && view.ready_count === pods.length
      return { isDone, value: { pods: pods.length, size, most, view } }
    })
  }
  await eventually('only what is wanted left', async () => {
    const rows = await c.db.query<{ name: string }>('select name from pool')
    return { isDone: rows.length === wanted.size, value: rows }
  })
  const names = [...wanted.keys()].map((id) => `function-agent-${id}`).sort()
  const labelSelector = 'app.kubernetes.io/managed-by=podyard'
  await eventually(`these Deployments, and no other: ${names}`, async () => {
    const { items } = await c.kube.list(resources.deployments, { namespace: c.namespace, labelSelector })
    const found = items.map((item) => item.metadata?.name).sort()
    return { isDone: found.join() === names.join(), value: found }
  })
  await eventually('no pod without a pool', async () => {
    const { items } = await c.kube.list(resources.pods, { namespace: c.namespace, labelSelector })
    const orphans = items.filter((pod) => !names.includes(pod.metadata?.labels?.app ?? ''))
    return { isDone: orphans.length === 0, value: orphans.map((pod) => pod.metadata?.name) }
  })
}

/** Takes away every pool; no controller runs before or after it. */
export async function clear(c: PoolCluster): Promise<void> {
  const controller = await c.start()
  await removeAllPools(c)
  await controller.stop()
}

async function removeOldest(c: PoolCluster, wanted: ReadonlyMap<string, Wanted>): Promise<string> {
  const [id = ''] = wanted.keys()
  await c.service.remove({ id, group: '' })
  return id
}

/** Controllers die and are stopped while pools are made, changed and deleted, whatever the cluster; none runs before. */
export function poolRestarts(c: PoolCluster, rounds: { readonly killed: number; readonly stopped: number }): void {
  let running: RunningController | undefined
  const start = async (...given: Parameters<typeof c.start>) => {
    running = await c.start(...given)
    return running
  }
  beforeRetry(async () => {
    await running?.stop().catch(() => {})
    await clear(c)
  })

  test('a controller that is killed at any call leaves nothing that its successor does not finish', async () => {
    const random = randomFrom(Number(process.env.SEED ?? 7))
    const wanted = new Map<string, Wanted>()
    for (let round = 0; round < rounds.killed; round += 1) {
      const process = mortal(c.kube, c.db, 1 + Math.floor(random() * 60), random() < 0.5)
      const controller = await start({ kube: process.kube, db: process.db })
      await interfere(c, round, wanted, random)
      await Promise.race([process.death, delay(300)])
      await controller.stop().catch(() => {})
      await process.arrived()
      if (wanted.size > 8) wanted.delete(await removeOldest(c, wanted))
    }
    const controller = await start()
    await checkAll(c, wanted)
    await controller.stop()
    await clear(c)
  })

  test('a controller that is told to stop at any moment, too', async () => {
    const random = randomFrom(Number(process.env.SEED ?? 11))
    const wanted = new Map<string, Wanted>()
    for (let round = 0; round < rounds.stopped; round += 1) {
      const controller = await start()
      await interfere(c, round, wanted, random)
      await delay(random() * 60)
      await controller.stop()
    }
    const controller = await start()
    await checkAll(c, wanted)
    await controller.stop()
    await clear(c)
  })
}
