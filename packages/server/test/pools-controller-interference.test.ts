import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type RunningController, usePoolCluster } from './support/pool-cluster.ts'
import { cannotStart, poolInterference, poolRefusals, says } from './support/pool-interference.ts'

const c = usePoolCluster()
let controller: RunningController
beforeAll(async () => {
  controller = await c.start()
})
afterAll(async () => {
  await controller.stop()
})
afterEach(() => {
  c.simulator.faults.clear()
})

poolInterference(c)
poolRefusals(c)

test('an image that does not parse: of a fixed pool and of a scalable one', () =>
  cannotStart(c, 'an-image-that-does-not-parse', { image: '!!!' }, 'InvalidImageName'))

describe('a cluster in trouble', () => {
  test('that answers 500 is said and tried again until it works', async () => {
    c.simulator.faults.inject({ match: { method: 'POST', plural: 'deployments' }, answer: 500 })
    await c.create({ id: 'flaky', size: 1 })
    expect(await says(c, 'flaky', 'injected fault')).toMatchObject({ status: 1 })
    c.simulator.faults.clear()
    expect(await c.reaches('flaky', 4)).toMatchObject({ msg: 'Running', ready_count: 1 })
  })

  test('that cuts connections makes no surplus pod', async () => {
    c.simulator.faults.inject({ match: { method: 'POST', plural: 'pods' }, answer: 'drop', times: 4 })
    await c.create({ id: 'cut', size: 4, max_size: 9 })
    expect(await c.reaches('cut', 4)).toMatchObject({ ready_count: 4 })
    expect(await c.pods('cut')).toHaveLength(4)
  })

  test('that refuses a deletion is said in status 6, and the pool goes when it may', async () => {
    await c.create({ id: 'sticky', size: 1 })
    await c.reaches('sticky', 4)
    c.simulator.faults.inject({ match: { method: 'DELETE', plural: 'deployments' }, answer: 500 })
    await c.service.remove({ id: 'sticky', group: '' })
    expect(await says(c, 'sticky', 'Delete Deployment Failed, ErrorCode is 500; ')).toMatchObject({ status: 6 })
    c.simulator.faults.clear()
    await c.isRemoved('sticky')
  })

  test('whose watches are cut is followed again', async () => {
    await c.create({ id: 'watched', size: 1 })
    await c.reaches('watched', 4)
    c.simulator.dropWatches()
    await c.put('watched', { size: 3 })
    expect(await c.reaches('watched', 4)).toMatchObject({ ready_count: 3 })
  })
})
