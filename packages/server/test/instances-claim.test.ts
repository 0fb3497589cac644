import { beforeEach, describe, expect, test } from 'vitest'
import { clearInstances, insertPool, insertReady } from './support/instance-rows.ts'
import { useInstancesApi } from './support/instances-api.ts'

const api = useInstancesApi()
beforeEach(() => clearInstances(api.db))

describe('200', () => {
  test('a warm claim has a ready pod for itself', async () => {
    const pool = await insertPool(api.db, 'p', { group: 'g' })
    const [uid] = await insertReady(api.db, pool, 1)
    const { status, json } = await api.claim({ pool: 'p', labels: { a: 'b' }, tenant: 't', lease_seconds: 60 })
    expect(status).toBe(200)
    expect(json).toEqual({
      code: 0,
      message: '',
      result: {
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        state: 'running',
        pool: 'p',
        group: 'g',
        schedule_policy: 'exclusive',
        resources: null,
        request_id: null,
        labels: { a: 'b' },
        tenant: 't',
        priority: 0,
        pod: {
          name: uid?.slice(4),
          namespace: 'default',
          uid,
          ip: '10.1.0.1',
          node: 'node-1',
          host_ip: '10.0.0.1',
          bk_pod_id: 0,
          bk_host_id: 0,
        },
        bk_biz_id: 0,
        lease: { expires_at: expect.any(String), keepalive_ms: 30_000 },
        waited_ms: 0,
        warm: true,
        created_at: expect.any(String),
        ended_at: null,
        reason: '',
      },
    })
    const lease = json.result?.lease as { expires_at: string }
    expect(Date.parse(lease.expires_at) - Date.parse(String(json.result?.created_at))).toBe(60_000)
    expect(await api.db.query('select count(*) as n from ready')).toEqual([{ n: 0 }])
    const events = await api.db.query('select resource, type, detail from event')
    expect(events).toEqual([{ resource: 'instance', type: 'create', detail: json.result }])
    const found = { ...json.result, pod: { ...(json.result?.pod as object), containers: [] } }
    expect((await api.get(String(json.result?.id))).json.result).toEqual(found)
  })

  test('many at once on several pools: each a pod of its own', async () => {
    for (const name of ['p', 'q', 'r']) await insertReady(api.db, await insertPool(api.db, name), 100)
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, i) => api.claim({ pool: ['p', 'q', 'r'][i % 3], request_id: `r${i}` })),
    )
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    const pods = new Set(answers.map(({ json }) => JSON.stringify(json.result?.pod)))
    expect(pods.size).toBe(300)
    answers.forEach(({ json }, i) => {
      expect(json.result?.pool).toBe(['p', 'q', 'r'][i % 3])
    })
  })
})

describe('release', () => {
  test('ends the instance, retires its pod, and can be repeated', async () => {
    const pool = await insertPool(api.db, 'p')
    const [uid] = await insertReady(api.db, pool, 1)
    const { json } = await api.claim({ pool: 'p' })
    const id = String(json.result?.id)
    const first = await api.release(id)
    expect(first).toMatchObject({ status: 200, json: { result: { id, state: 'released', reason: 'released' } } })
    expect((await api.release(id)).json).toEqual(first.json)
    expect((await api.get(id)).json).toEqual(first.json)
    expect(await api.db.query('select pod_uid, reason from retired')).toEqual([{ pod_uid: uid, reason: 'released' }])
    const [event] = await api.db.query<{ detail: Record<string, unknown> }>(
      `select detail from event where type = 'delete'`,
    )
    const result = first.json.result as { pod: Record<string, unknown> }
    expect({ ...event?.detail, pod: { ...(event?.detail.pod as object), containers: [] } }).toEqual(result)
  })

  test('404 for what never was', async () => {
    expect(await api.release('nobody')).toMatchObject({ status: 404, json: { code: 1003 } })
    expect(await api.get('nobody')).toMatchObject({ status: 404, json: { code: 1003 } })
  })
})
