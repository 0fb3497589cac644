import { beforeEach, describe, expect, test } from 'vitest'
import { path, resources, usePoolsApi } from './support/pools-api.ts'

const api = usePoolsApi()
const tail = '. check input parameters'
const done = { code: 0, message: '', result: null }

beforeEach(async () => {
  await api.clear()
  await api.create({
    pools: [
      { id: 'fixed', resources, size: 2, image: 'a:1', horizontal_pod_autoscaler_spec: '{"old":1}' },
      { id: 'scalable', resources, size: 2, max_size: 5 },
    ],
  })
  await api.setStatus(4)
})

const put = (id: string, body: unknown) => api.send('PUT', `${path}/${id}`, body)
const pool = async (id: string) => (await api.query(`?id=${id}`)).result.pools?.[0] ?? {}
const snapshot = async () => [(await api.query()).result, await api.db.query('select count(*) from event')]

describe('200', () => {
  test.each([
    ['fixed', { size: 5 }, { size: 5, max_size: 5 }],
    ['fixed', { size: 5, max_size: 9 }, { size: 5, max_size: 5 }],
    ['fixed', { size: 5, max_size: 1 }, { size: 5, max_size: 5 }],
    ['fixed', {}, { size: 0, max_size: 0 }],
    ['fixed', null, { size: 0, max_size: 0 }],
    ['fixed', { size: null, id: 7, labels: 8, other: 1.5 }, { size: 0, max_size: 0, id: 'fixed' }],
    ['fixed', { size: 1, horizontal_pod_autoscaler_spec: '' }, { horizontal_pod_autoscaler_spec: '{"old":1}' }],
    [
      'fixed',
      { size: 1, horizontal_pod_autoscaler_spec: '{"new":1}' },
      { horizontal_pod_autoscaler_spec: '{"new":1}' },
    ],
    ['fixed', { drain: true }, { size: 2, max_size: 2, drain: true }],
    [
      'fixed',
      { autoscaling: { buffer: 5 }, unknown: 1, size: null },
      { size: 2, max_size: 2, autoscaling: { buffer: 5 } },
    ],
    ['fixed', { autoscaling: null }, { size: 2, max_size: 2 }],
    ['fixed', { drain: true, size: 3 }, { size: 3, max_size: 3, drain: true }],
    ['fixed', { drain: null }, { size: 0 }],
    ['scalable', { size: 3 }, { size: 3, max_size: 5 }],
    ['scalable', { size: 3, max_size: 8 }, { size: 3, max_size: 8 }],
    ['scalable', { size: 4, max_size: 4 }, { size: 4, max_size: 4 }],
    ['scalable', { max_size: 3 }, { size: 0, max_size: 3 }],
    ['scalable', {}, { size: 0, max_size: 0 }],
    ['scalable', { drain: false }, { size: 2, max_size: 5 }],
    [
      'scalable',
      { size: 3, horizontal_pod_autoscaler_spec: '{"a":1}' },
      { horizontal_pod_autoscaler_spec: '{"a":1}', max_size: 5 },
    ],
  ])('%s %j', async (id, body, expected) => {
    const before = await pool(id)
    const answer = await put(id, body)
    expect(answer.json).toEqual(done)
    expect(answer.status).toBe(200)
    expect(await pool(id)).toEqual({
      ...before,
      ...expected,
      status: 2,
      size: expect.any(Number),
      max_size: expect.any(Number),
      horizontal_pod_autoscaler_spec: expect.any(String),
    })
    expect(await pool(id)).toMatchObject(expected)
  })

  test.each([1, 3, 4, 5])('in status %d', async (status) => {
    await api.setStatus(status)
    expect((await put('fixed', { size: 1 })).status).toBe(200)
  })

  test('a drain ends with a word, and nothing else of the pool changes; a PUT without one leaves it', async () => {
    await put('scalable', { drain: true })
    await api.setStatus(4)
    expect(await pool('scalable')).toMatchObject({ drain: true, size: 2, max_size: 5 })
    await put('scalable', { size: 3 })
    await api.setStatus(4)
    expect(await pool('scalable')).toMatchObject({ drain: true, size: 3 })
    await put('scalable', { drain: false })
    expect(await pool('scalable')).toMatchObject({ size: 3, max_size: 5 })
    expect(await pool('scalable')).not.toHaveProperty('drain')
    const story = await api.db.query('select message from pool_event order by id desc limit 1')
    expect(story[0]).toEqual({ message: 'update: not drained any more' })
  })

  test.each([0, 2])('a drain waits for nothing: in status %d, which stays', async (status) => {
    await api.setStatus(status)
    expect((await put('fixed', { drain: true })).status).toBe(200)
    expect(await pool('fixed')).toMatchObject({ drain: true, status })
    expect((await put('fixed', { drain: false, size: 1 })).status).toBe(409)
  })

  test('nobody gets a pod of a pool that is drained once that is answered, and what is idle is retired', async () => {
    const [row] = await api.db.query<{ id: number }>(`select id from pool where name = 'scalable'`)
    await api.db.query(
      `insert into ready (pool_id, pod_uid, pod_name, namespace) values ($1, 'u1', 'p1', 'n'), (0, 'u2', 'p2', 'n')`,
      [row?.id],
    )
    await put('scalable', { drain: true })
    expect(await api.db.query('select pod_uid from ready')).toEqual([{ pod_uid: 'u2' }])
    expect(await api.db.query('select pod_uid, reason from retired')).toEqual([{ pod_uid: 'u1', reason: 'drained' }])
    await api.db.query('delete from ready')
    await api.db.query('delete from retired')
  })

  test('whether a pool is scalable never changes', async () => {
    await put('scalable', { size: 4, max_size: 4 })
    expect(await pool('scalable')).toMatchObject({ scalable: true, size: 4, max_size: 4 })
    await api.setStatus(4)
    await put('scalable', { size: 1, max_size: 9 })
    expect(await pool('scalable')).toMatchObject({ scalable: true, size: 1, max_size: 9 })
  })

  test('the old row becomes history, the new one is in the event log, the story says what changed', async () => {
    await put('scalable', { size: 3, max_size: 8 })
    const history = await api.db.query(`select row from history where row ->> 'name' = 'scalable' order by valid_to`)
    expect(history.at(-1)?.row).toMatchObject({ size: 2, max_size: 5, status: 4 })
    const log = await api.db.query(`select type, detail from event order by seq desc limit 1`)
    expect(log[0]).toMatchObject({ type: 'update', detail: { id: 'scalable', size: 3, max_size: 8, status: 2 } })
    const story = await api.db.query('select reason, message from pool_event order by id desc limit 1')
    expect(story[0]).toEqual({ reason: 'UpdateAccepted', message: 'update: size 2 -> 3, max_size 5 -> 8' })
  })
})

describe('400', () => {
  test.each([
    [{ size: -1, max_size: -1 }, 'size is less than 0'],
    [{ size: 1, max_size: -1 }, 'max_size is less than 0'],
    [{ size: 3, max_size: 2 }, 'max_size is less than size'],
    [{ size: 6 }, 'max_size is less than size'],
  ])('%j', async (body, text) => {
    const before = await snapshot()
    const answer = await put('scalable', body)
    expect(answer.status).toBe(400)
    expect(answer.json).toEqual({ code: 4104, message: `failed to update pod pool, err: ${text}${tail}` })
    expect(await snapshot()).toEqual(before)
  })

  test.each([
    ['', 'EOF'],
    ['{"size":', 'unexpected end of JSON input'],
    ['[]', 'the body must be an object'],
    ['{"size":"1"}', 'size must be an integer'],
    ['{"size":1.0}', 'size must be an integer'],
    ['{"max_size":true}', 'max_size must be an integer'],
    ['{"size":1,"horizontal_pod_autoscaler_spec":{}}', 'horizontal_pod_autoscaler_spec must be a string'],
  ])('130600: %s', async (body, text) => {
    const before = await snapshot()
    const answer = await put('scalable', body)
    expect(answer.status).toBe(400)
    expect(answer.json).toEqual({ code: 130600, message: expect.stringContaining(text) })
    expect(await snapshot()).toEqual(before)
  })

  test('a body that cannot be decoded comes before a pool that does not exist, so does a negative size', async () => {
    expect((await put('none', '{')).json).toMatchObject({ code: 130600 })
    expect((await put('none', { size: -1 })).json).toMatchObject({ code: 4104 })
  })
})

describe('404', () => {
  test.each(['none', 'FIXED', '%00', '%25', 'a'.repeat(900), 'a'.repeat(2_000)])('%.20s', async (id) => {
    const answer = await put(id, { size: 1 })
    expect(answer.status).toBe(404)
    expect(answer.json).toEqual({ code: 4120, message: `pool does not exist or has been deleted${tail}` })
  })
})

describe('409', () => {
  test.each([
    [0, `pool status is 0 , not allowed to update${tail}`],
    [2, `pool status is 2 , not allowed to update${tail}`],
    [6, `the pod pool has already deleted, id: fixed${tail}`],
  ])('in status %d', async (status, message) => {
    await api.setStatus(status)
    const before = await snapshot()
    // The status comes before sizes that cannot be.
    for (const body of [{ size: 1 }, { size: 9, max_size: 1 }]) {
      const answer = await put('fixed', body)
      expect(answer.status).toBe(409)
      expect(answer.json).toEqual({ code: 4104, message })
    }
    expect(await snapshot()).toEqual(before)
  })

  test('of eight at once one wins, the others are told that a change runs', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => put('fixed', { size: i + 10 })))
    const won = answers.findIndex((answer) => answer.status === 200)
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1)
    for (const answer of answers.filter((_, i) => i !== won)) {
      expect(answer.status).toBe(409)
      expect(answer.json).toEqual({ code: 4104, message: `pool status is 2 , not allowed to update${tail}` })
    }
    expect(await pool('fixed')).toMatchObject({ size: won + 10, status: 2 })
  })
})
