import { afterAll, beforeAll, test } from 'vitest'
import { eventually, type RunningController, usePoolCluster } from './support/pool-cluster.ts'
import { poolLifecycle } from './support/pool-lifecycle.ts'

const c = usePoolCluster()
let controller: RunningController
beforeAll(async () => {
  controller = await c.start()
})
afterAll(async () => {
  await controller.stop()
})

poolLifecycle(c)

test('200 pools at once are running, and removed', async () => {
  await c.create(...Array.from({ length: 200 }, (_, i) => ({ id: `many-${i}`, size: 1, group: 'many' })))
  await eventually('200 pools running', async () => {
    const [row] = await c.db.query<{ n: number }>(
      `select count(*) as n from pool where group_name = 'many' and status = 4`,
    )
    return { isDone: row?.n === 200, value: row?.n }
  })
  await c.service.remove({ id: '', group: 'many' })
  await eventually('200 pools removed', async () => {
    const [row] = await c.db.query<{ n: number }>(`select count(*) as n from pool where group_name = 'many'`)
    return { isDone: row?.n === 0, value: row?.n }
  })
})
