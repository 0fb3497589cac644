import { beforeEach } from 'vitest'
import { poolStatus } from '../../src/pools/pool.ts'
import { eventually, type PoolCluster } from './pool-cluster.ts'

/** Runs `tidy` before a test that is tried again: it must not find what its first try left behind. */
export function beforeRetry(tidy: () => Promise<void>): void {
  const tried = new Set<string>()
  beforeEach(async ({ task }) => {
    if (tried.has(task.id)) await tidy()
    tried.add(task.id)
  })
}

/** Deletes every pool, and waits until a controller that runs has taken them away; their stories go, too. */
export async function removeAllPools(c: PoolCluster): Promise<void> {
  await eventually('no pools', async () => {
    const left = await c.db.query<{ name: string; status: number }>('select name, status from pool')
    for (const { name, status } of left) {
      // It may have gone in between.
      if (status !== poolStatus.deleted) await c.service.remove({ id: name, group: '' }).catch(() => {})
    }
    return { isDone: left.length === 0, value: left }
  })
  await c.db.query('delete from pool_event')
}
