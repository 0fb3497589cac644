import { beforeEach } from 'vitest'
import { eventually, type PoolCluster } from './pool-cluster.ts'

/** Runs `tidy` before a test that is tried again: it must not find what its first try left behind. */
export function beforeRetry(tidy: () => Promise<void>): void {
  const tried = new Set<string>()
  beforeEach(async ({ task }) => {
    if (tried.has(task.id)) await tidy()
    tried.add(task.id)
  })
}

/** Deletes every pool, and waits until a controller that runs has taken them away. */
export async function removeAllPools(c: PoolCluster): Promise<void> {
  const rows = await c.db.query<{ name: string }>('select name from pool')
  for (const { name } of rows) await c.service.remove({ id: name, group: '' })
  await eventually('no pools', async () => {
    const left = await c.db.query<{ name: string }>('select name from pool')
    return { isDone: left.length === 0, value: left }
  })
}
