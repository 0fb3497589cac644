import { setTimeout as delay } from 'node:timers/promises'
import type { Simulator } from '@podyard/simulator'
import { AppError } from '../../src/errors.ts'
import { type KubeClient, resources } from '../../src/kube/index.ts'
import { deploymentName } from '../../src/pools/names.ts'
import { readCreateBody, readUpdateBody } from '../../src/pools/pool-body.ts'
import type { Database } from '../../src/store/database.ts'
import type { StoryPool } from './claim-story.ts'
import type { ClaimWindows } from './claim-windows.ts'
import type { DiaryPod, PodDiary } from './pod-diary.ts'
import type { Random } from './random.ts'
import type { ReplicaPair } from './replica-pair.ts'
import type { TableWatch } from './table-watch.ts'

/** What random sequences share. */
export type SequenceWorld = {
  readonly db: Database
  readonly simulator: Simulator
  /** A client of the cluster that is nobody's but the test's. */
  readonly kube: KubeClient
  readonly diary: PodDiary
  readonly tables: TableWatch
  readonly windows: ClaimWindows
  readonly replicas: ReplicaPair
}

/** Makes one pool, or two of one group. */
export async function makePools({ db, replicas }: SequenceWorld, random: Random, name: string): Promise<StoryPool[]> {
  const names = random.chance(0.2) ? [`${name}-a`, `${name}-b`] : [name]
  const requests = { cpu: '1', memory: '1Gi' }
  const pools = names.map((id) => {
    const size = 1 + random.upTo(2)
    const more = random.chance(0.5) ? { max_size: size + 1 + random.upTo(3) } : { reuse: random.chance(0.5) }
    return { id, group: name, size, resources: { requests, limits: requests }, ...more }
  })
  // Whoever made them may have died before it said so.
  await replicas.insist(random, (replica) => replica.pools.create(readCreateBody({ pools })))
  const rows = await db.query<{ id: number; uid: string; name: string }>(
    'select id, uid, name from pool where name = any($1)',
    [names],
  )
  if (rows.length < names.length) throw new Error(`not all of ${names} were made`)
  return rows.map(({ id, uid, name: made }) => ({ id, uid, name: made, group: name }))
}

/** Changes a pool. False: another change of it is under way. */
export async function putPool(
  { replicas }: SequenceWorld,
  random: Random,
  pool: StoryPool,
  body: object,
): Promise<boolean> {
  try {
    await replicas.insist(random, (replica) => replica.pools.update(pool.name, readUpdateBody(body)))
    return true
  } catch (error) {
    if (error instanceof AppError && error.status === 409) return false
    throw error
  }
}

/** Deletes a pod behind Podyard's back. */
export async function deletePod({ kube }: SequenceWorld, pod: DiaryPod): Promise<void> {
  pod.wasEnded = true
  const { namespace = '', name = '' } = pod.object.metadata ?? {}
  await kube.delete(resources.pods, { namespace, name }, { preconditions: { uid: pod.uid } })
}

export function describePool({ tables, diary }: SequenceWorld, pool: StoryPool): string {
  const { left, offers } = tables.latest
  return JSON.stringify({ pool, left: left.get(pool.id), offered: offers.get(pool.id), pods: diary.describe(pool.uid) })
}

/** Deletes pools, and waits until nothing of them is left anywhere. */
export async function removePools(world: SequenceWorld, random: Random, pools: readonly StoryPool[]): Promise<void> {
  const { tables, diary, replicas, simulator } = world
  for (const pool of pools)
    await replicas.insist(random, (replica) =>
      replica.pools.remove({ id: pool.name, group: '' }).catch((error: unknown) => {
        if (!(error instanceof AppError && error.status === 404)) throw error
      }),
    )
  for (const pool of pools) {
    const at = { namespace: 'default', name: deploymentName(pool.name) }
    await tables.until(
      () => `nothing left of ${describePool(world, pool)}`,
      ({ pools: known, offers, left }) =>
        !known.has(pool.id) &&
        !left.has(pool.id) &&
        !offers.has(pool.id) &&
        diary.of(pool.uid).length === 0 &&
        simulator.store.get('deployments', at) === undefined,
    )
    tables.forget(pool.id)
    diary.forget(pool.uid)
  }
}

/** Between two tries of a change that another one of the pool stands in the way of. */
export const untilChangeIsOver = () => delay(50)
