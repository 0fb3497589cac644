import { readFile } from 'node:fs/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import { path, resources, usePoolsApi } from './support/pools-api.ts'

const api = usePoolsApi()
beforeEach(() => api.clear())

const seed = await readFile(new URL('./fixtures/seed-create-pod-pool.json', import.meta.url), 'utf8')
const done = { code: 0, message: '', result: { failed_pools: null } }
const tail = '. check input parameters'

/** What is in the tables that a refused request must leave alone. */
const rows = async () => {
  const [counts] = await api.db.query(
    'select (select count(*) from pool) as pools, (select count(*) from pool_event) as story, (select count(*) from event) as log',
  )
  return counts
}
const nothing = { pools: 0, story: 0, log: 0 }

describe('200', () => {
  test('the documented request as it is written', async () => {
    const answer = await api.create(seed)
    expect(answer.status).toBe(200)
    expect(answer.type).toBe('application/json; charset=utf-8')
    expect(answer.json).toEqual(done)
    const sent = JSON.parse(seed).pools[0]
    expect((await api.query()).result).toEqual({
      count: 1,
      pools: [{ ...sent, ready_count: 0, status: 0, msg: '', scalable: true, pod_pending_duration_threshold: 0 }],
    })
    expect(await rows()).toEqual({ pools: 1, story: 1, log: 1 })
  })

  test('the smallest pool: every default', async () => {
    expect((await api.create({ pools: [{ id: 'a', resources }] })).json).toEqual(done)
    expect((await api.query()).result.pools).toEqual([
      {
        id: 'a',
        group: 'default',
        size: 0,
        max_size: 0,
        ready_count: 0,
        status: 0,
        msg: '',
        image: '',
        init_image: '',
        reuse: false,
        labels: null,
        environment: null,
        resources,
        volumes: '',
        volume_mounts: '',
        affinities: '',
        runtime_class_name: '',
        node_selector: null,
        tolerations: '',
        horizontal_pod_autoscaler_spec: '',
        topology_spread_constraints: '',
        pod_pending_duration_threshold: 0,
        idle_recycle_time: { reserved: 0, scaled: 0 },
        scalable: false,
      },
    ])
  })

  test.each([
    [{ size: 3 }, { size: 3, max_size: 3, scalable: false }],
    [
      { size: 3, max_size: 0 },
      { size: 3, max_size: 3, scalable: false },
    ],
    [
      { size: 0, max_size: 5 },
      { size: 0, max_size: 5, scalable: true },
    ],
    [
      { size: 2, max_size: 2 },
      { size: 2, max_size: 2, scalable: false },
    ],
    [
      { size: Number.MAX_SAFE_INTEGER },
      { size: Number.MAX_SAFE_INTEGER, max_size: Number.MAX_SAFE_INTEGER, scalable: false },
    ],
  ])('sizes: %j', async (sent, stored) => {
    expect((await api.create({ pools: [{ id: 'a', resources, ...sent }] })).json).toEqual(done)
    expect((await api.query()).result.pools?.[0]).toMatchObject(stored)
  })

  test('status, msg, ready_count and scalable of a client, and unknown members, are ignored', async () => {
    const sent = {
      id: 'a',
      resources,
      status: 4,
      msg: 'x',
      ready_count: 9,
      scalable: true,
      annotations: { a: [1.5] },
      Size: 3,
    }
    expect((await api.create({ pools: [sent], other: 1e300 })).json).toEqual(done)
    expect((await api.query()).result.pools?.[0]).toMatchObject({
      status: 0,
      msg: '',
      ready_count: 0,
      scalable: false,
      size: 0,
    })
  })

  test('null is the same as absent, in a map it is an empty text', async () => {
    const nulls = Object.fromEntries(
      [
        'group',
        'size',
        'max_size',
        'reuse',
        'image',
        'environment',
        'volumes',
        'node_selector',
        'pod_pending_duration_threshold',
        'idle_recycle_time',
      ].map((name) => [name, null]),
    )
    const body = {
      pools: [{ ...nulls, id: 'a', resources: { requests: { cpu: null }, limits: {} }, labels: { x: null } }],
    }
    expect((await api.create(body)).json).toEqual(done)
    expect((await api.query()).result.pools?.[0]).toMatchObject({
      group: 'default',
      labels: { x: '' },
      environment: null,
      resources: { requests: { cpu: '' }, limits: {} },
    })
  })

  test('a number as the value of a label becomes its text, as it was written', async () => {
    const body = `{"pools":[{"id":"a","resources":{"requests":{},"limits":{}},"labels":{"yr-idle-to-recycle":5,"b":1.50}}]}`
    expect((await api.create(body)).json).toEqual(done)
    expect((await api.query()).result.pools?.[0]?.labels).toEqual({ 'yr-idle-to-recycle': '5', b: '1.50' })
  })

  test('names that mean something to JavaScript are names like any other', async () => {
    const body = `{"pools":[{"id":"constructor","resources":{"requests":{},"limits":{}},"environment":{"__proto__":"x","toString":"y"}}]}`
    expect((await api.create(body)).json).toEqual(done)
    const [pool] = (await api.query('?id=constructor')).result.pools ?? []
    expect(JSON.stringify(pool?.environment)).toBe('{"toString":"y","__proto__":"x"}')
  })

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'nonsense', undefined])(
    'content type %s',
    async (type) => {
      const answer = await api.send(
        'POST',
        path,
        { pools: [{ id: 'a', resources }] },
        type === undefined ? {} : { 'content-type': type },
      )
      expect(answer.json).toEqual(done)
    },
  )

  test('of a batch the good ones are stored, the others are named in order', async () => {
    await api.create({ pools: [{ id: 'old', resources }] })
    const answer = await api.create({
      pools: [
        { id: 'a', resources },
        { id: 'Bad', resources },
        { id: 'a', resources, size: 7 },
        { id: 'old', resources },
        { id: 'b', resources, size: -1 },
        { id: 'b', resources, size: 2 },
      ],
    })
    expect(answer.status).toBe(200)
    expect(answer.json).toEqual({
      code: 4104,
      message: `${[
        `failed to create pod pool, id: Bad, err: pod pool id can contain only lowercase letters, digits and '-'. it cannot start or end with '-' and cannot exceed 40 characters or less than 1 characters`,
        'failed to create pod pool, id: a,err: pool id already exists or is deleting',
        'failed to create pod pool, id: old,err: pool id already exists or is deleting',
        'failed to create pod pool, id: b, err: size is less than 0',
      ].join(';')}${tail}`,
      result: { failed_pools: ['Bad', 'a', 'old', 'b'] },
    })
    const { pools } = (await api.query()).result
    expect(pools?.map((pool) => [pool.id, pool.size])).toEqual([
      ['b', 2],
      ['a', 0],
      ['old', 0],
    ])
  })

  test('200 pools in one request', async () => {
    const pools = Array.from({ length: 200 }, (_, i) => ({ id: `pool-${i}`, resources, size: 1 }))
    expect((await api.create({ pools })).json).toEqual(done)
    const page = await api.query('?limit=300')
    expect(page.result.pools?.map((pool) => pool.id)).toEqual(pools.map((pool) => pool.id).reverse())
    expect(await rows()).toEqual({ pools: 200, story: 200, log: 200 })
    const log = await api.db.query('select detail from event order by seq limit 1')
    expect(log[0]?.detail).toMatchObject({ id: 'pool-0', status: 0, scalable: false })
  })

  test('the same id from eight requests at once: one makes it, all in any order', async () => {
    const ids = ['a', 'b', 'c', 'd']
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        api.create({ pools: (i % 2 === 0 ? ids : [...ids].reverse()).map((id) => ({ id, resources })) }),
      ),
    )
    const failures = answers.flatMap(
      (answer) => (answer.json as { result: { failed_pools: string[] | null } }).result.failed_pools ?? [],
    )
    expect(failures).toHaveLength(4 * 7)
    expect(answers.every((answer) => answer.status === 200 || answer.status === 400)).toBe(true)
    expect(await rows()).toEqual({ pools: 4, story: 4, log: 4 })
  })

  test('an id is free again once its row is gone, not before', async () => {
    await api.create({ pools: [{ id: 'a', resources }] })
    await api.send('DELETE', `${path}?id=a`)
    const again = await api.create({ pools: [{ id: 'a', resources }] })
    expect(again.status).toBe(400)
    expect(again.json).toMatchObject({ code: 4104, result: { failed_pools: ['a'] } })
    await api.db.query('delete from pool')
    expect((await api.create({ pools: [{ id: 'a', resources }] })).json).toEqual(done)
  })
})

const idText = `pod pool id can contain only lowercase letters, digits and '-'. it cannot start or end with '-' and cannot exceed 40 characters or less than 1 characters`
const groupText = `pod pool group can contain only letters, digits and '-'. it cannot start or end with '-' and cannot exceed 40 characters`

describe('400 for a pool that breaks a rule', () => {
  const everythingWrong = {
    id: '-',
    group: '-',
    size: -1,
    max_size: -5,
    idle_recycle_time: { reserved: -2, scaled: -2 },
    image: 'i'.repeat(201),
    init_image: 'i'.repeat(201),
    runtime_class_name: 'r'.repeat(65),
    pod_pending_duration_threshold: -7,
    labels: { '-': '' },
  }
  // Each row puts right what the rows before it named: so the order of the checks is tested, too.
  const order: [Record<string, unknown>, string][] = [
    [{}, `failed to create pod pool, id: -, err: ${idText}`],
    [{ id: 'p' }, `failed to create pod pool, id: p, group: -, err: ${groupText}`],
    [{ group: '' }, 'failed to create pod pool, id: p, err: size is less than 0'],
    [{ size: 2 }, 'failed to create pod pool, id: p, err: max_size is less than size'],
    [{ max_size: 1 }, 'failed to create pod pool, id: p, err: max_size is less than size'],
    [{ max_size: 0 }, 'failed to create pod pool, id: p, err: idle time of reserved should not less than -1'],
    [
      { idle_recycle_time: { reserved: -1, scaled: -2 } },
      'failed to create pod pool, id: p, err: idle time of scaled should not less than -1',
    ],
    [{ idle_recycle_time: {} }, 'failed to create pod pool, id: p, err: image len is not in [1, 200]'],
    // 200 characters, 201 bytes
    [{ image: `${'i'.repeat(199)}ü` }, 'failed to create pod pool, id: p, err: image len is not in [1, 200]'],
    [{ image: 'i'.repeat(200) }, 'failed to create pod pool, id: p, err: init image len is not in [1, 200]'],
    [{ init_image: '' }, 'failed to create pod pool, id: p, err: runtime_class_name should not greater than 64'],
    [
      { runtime_class_name: 'r'.repeat(64) },
      'failed to create pod pool, id: p, err: podPendingDurationThreshold should not be less than 0, which is -7',
    ],
    [
      { pod_pending_duration_threshold: 0 },
      `failed to create pod pool, id: p, err: labels has the key "-": a key has at most 63 letters, digits, '-', '_' and '.', starts and ends with a letter or digit, and may follow a DNS name and '/'`,
    ],
    [
      { labels: {}, environment: { '1A': '' } },
      `failed to create pod pool, id: p, err: environment has the name "1A": a name consists of letters, digits, '_', '.' and '-' and does not start with a digit`,
    ],
    [{ environment: {} }, 'failed to create pod pool, id: p, err: resources is required'],
    [{ resources: {} }, 'failed to create pod pool, id: p, err: resources.requests is required'],
    [{ resources: { requests: {} } }, 'failed to create pod pool, id: p, err: resources.limits is required'],
  ]
  let pool: Record<string, unknown> = everythingWrong
  const cases = order.map(([change, message]) => {
    pool = { ...pool, ...change }
    return [message, pool] as const
  })

  test.each(cases)('%s', async (message, sent) => {
    const answer = await api.create({ pools: [sent] })
    expect(answer.status).toBe(400)
    expect(answer.json).toEqual({ code: 4104, message: `${message}${tail}`, result: { failed_pools: [sent.id] } })
    expect(await rows()).toEqual(nothing)
  })

  test.each([[{}], [{ pools: null }], [{ pools: [] }], [null]])('no pools: %j', async (body) => {
    const answer = await api.create(body)
    expect(answer.status).toBe(400)
    expect(answer.json).toEqual({
      code: 4104,
      message: `1failed to create pod pool, err: input pod pool list is empty${tail}`,
    })
  })

  test('a null pool is one with an empty id', async () => {
    expect((await api.create({ pools: [null] })).json).toMatchObject({ code: 4104, result: { failed_pools: [''] } })
  })

  test('very many bad pools: every id, a bounded message', async () => {
    const answer = await api.create({ pools: Array.from({ length: 3_000 }, () => ({})) })
    const body = answer.json as { message: string; result: { failed_pools: string[] } }
    expect(body.result.failed_pools).toHaveLength(3_000)
    expect(body.message.endsWith(`;and 2000 more${tail}`)).toBe(true)
  })
})

describe('400 for what cannot be decoded: 130600, nothing is stored', () => {
  const good = JSON.stringify({ id: 'good', resources })
  const of = (text: string) => `{"pools":[${good},{"id":"p",${text}}]}`
  test.each([
    ['', 'EOF'],
    ['{', 'unexpected end of JSON input'],
    [`{"pools":[${good}}`, 'invalid JSON at line 1'],
    [`{"pools":[${good}]} {}`, 'unexpected text after the value'],
    ['[]', 'the body must be an object'],
    ['1.5', 'the body must be an object'],
    ['{"pools":{}}', 'pools must be an array'],
    [`{"pools":[${good},1]}`, 'pools[1] must be an object'],
    [of('"size":"1"'), 'pools[1].size must be an integer'],
    [of('"size":1.0'), 'pools[1].size must be an integer'],
    [of('"size":1e2'), 'pools[1].size must be an integer'],
    [of('"size":1.5'), 'pools[1].size must be an integer'],
    [of('"size":true'), 'pools[1].size must be an integer'],
    [of('"size":1e400'), 'pools[1].size must be an integer'],
    [of('"max_size":[]'), 'pools[1].max_size must be an integer'],
    [of('"size":9007199254740993'), 'beyond 2^53'],
    [of('"other":{"x":9007199254740993}'), 'beyond 2^53'],
    [of('"id":5'), 'pools[1].id must be a string'],
    [of('"group":[]'), 'pools[1].group must be a string'],
    [of('"reuse":"true"'), 'pools[1].reuse must be a boolean'],
    [of('"volumes":[]'), 'pools[1].volumes must be a string'],
    [of('"volume_mounts":[]'), 'pools[1].volume_mounts must be a string'],
    [of('"affinities":{}'), 'pools[1].affinities must be a string'],
    [of('"tolerations":[]'), 'pools[1].tolerations must be a string'],
    [of('"topology_spread_constraints":[]'), 'pools[1].topology_spread_constraints must be a string'],
    [of('"horizontal_pod_autoscaler_spec":{}'), 'pools[1].horizontal_pod_autoscaler_spec must be a string'],
    [of('"image":1'), 'pools[1].image must be a string'],
    [of('"init_image":1'), 'pools[1].init_image must be a string'],
    [of('"runtime_class_name":1'), 'pools[1].runtime_class_name must be a string'],
    [of('"labels":[]'), 'pools[1].labels must be an object'],
    [of('"labels":{"a":true}'), 'pools[1].labels["a"] must be a string'],
    [of('"environment":{"a":1}'), 'pools[1].environment["a"] must be a string'],
    [of('"node_selector":{"a":{}}'), 'pools[1].node_selector["a"] must be a string'],
    [of('"resources":[]'), 'pools[1].resources must be an object'],
    [of('"resources":1.5'), 'pools[1].resources must be an object'],
    [of('"resources":{"requests":"x"}'), 'pools[1].resources.requests must be an object'],
    [of('"resources":{"limits":{"cpu":1}}'), 'pools[1].resources.limits["cpu"] must be a string'],
    [of('"idle_recycle_time":5'), 'pools[1].idle_recycle_time must be an object'],
    [of('"idle_recycle_time":{"scaled":"5"}'), 'pools[1].idle_recycle_time.scaled must be an integer'],
    [of('"pod_pending_duration_threshold":"5"'), 'pools[1].pod_pending_duration_threshold must be an integer'],
    [of('"image":"a\\u0000"'), 'U+0000'],
    [of('"image":"\\ud800"'), 'unpaired surrogate'],
    [of(`"other":${'['.repeat(1_100)}${']'.repeat(1_100)}`), 'exceeded max depth'],
    [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), 'not valid UTF-8'],
  ])('%s', async (body, text) => {
    const answer = await api.create(body)
    expect(answer.status).toBe(400)
    expect(answer.type).toBe('application/json; charset=utf-8')
    expect(answer.json).toEqual({ code: 130600, message: expect.stringContaining(text) })
    expect(await rows()).toEqual(nothing)
  })
})

describe('413', () => {
  test('a body over 8 MiB', async () => {
    const body = JSON.stringify({ pools: [{ id: 'a', resources, volumes: 'v'.repeat(8 * 1024 * 1024) }] })
    const answer = await api.create(body)
    expect(answer.status).toBe(413)
    expect(answer.json).toEqual({ code: 4104, message: `the request body exceeds 8388608 bytes${tail}` })
    expect(await rows()).toEqual(nothing)
  })

  test('just below it is stored whole', async () => {
    const volumes = 'v'.repeat(8 * 1024 * 1024 - 200)
    expect((await api.create({ pools: [{ id: 'a', resources, volumes }] })).status).toBe(200)
    expect((await api.query()).result.pools?.[0]?.volumes).toHaveLength(volumes.length)
  })
})
