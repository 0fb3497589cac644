/** Every status that the routes of instances document, and what each body must be. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createAccess } from '../src/access/access.ts'
import { createInstanceService } from '../src/instances/instance-service.ts'
import { openDatabase } from '../src/store/database.ts'
import { clearInstances, insertPool, insertReady, moveClock } from './support/instance-rows.ts'
import { buildInstancesApp, instancesPath, useInstancesApi } from './support/instances-api.ts'
import { untilWaiting } from './support/replicas.ts'

const api = useInstancesApi()
beforeEach(() => clearInstances(api.db))
afterEach(() => {
  expect(api.logged).toEqual([])
})

type Json = { readonly result?: Record<string, unknown> }
const instancesOf = (json: Json) => (json.result?.instances ?? []) as { readonly id: string }[]
const expiryOf = (json: Json) =>
  Date.parse(String((json.result?.lease as { expires_at?: string } | undefined)?.expires_at))

const shared = { pool: 'p', schedule_policy: 'shared' }

describe('400, 1001: the member is named', () => {
  test.each([
    ['{', 'unexpected end'],
    ['', 'the body'],
    ['[]', 'the body'],
    ['null', 'the body'],
    [{}, 'pool, group, pool_labels'],
    [{ pool: 'p', group: 'g' }, 'pool, group, pool_labels'],
    [{ pool: 1 }, 'pool'],
    [{ pool: '' }, 'pool'],
    [{ pool_labels: [] }, 'pool_labels'],
    [{ pool_labels: ['a', 1] }, 'pool_labels'],
    [{ pool_labels: 'a' }, 'pool_labels'],
    [{ pool: 'p', id: 'a/b' }, 'id'],
    [{ pool: 'p', id: 'a'.repeat(129) }, 'id'],
    [{ pool: 'p', id: 'a', count: 2 }, 'id'],
    [{ pool: 'p', request_id: '' }, 'request_id'],
    [{ pool: 'p', request_id: 'x'.repeat(257) }, 'request_id'],
    [{ pool: 'p', count: 0 }, 'count'],
    [{ pool: 'p', count: 1001 }, 'count'],
    ['{"pool": "p", "count": 1.0}', 'count'],
    ['{"pool": "p", "priority": 1e2}', 'priority'],
    [{ pool: 'p', priority: 2 ** 31 }, 'priority'],
    [{ pool: 'p', lease_seconds: -1 }, 'lease_seconds'],
    [{ pool: 'p', timeout_ms: 3_600_001 }, 'timeout_ms'],
    [{ pool: 'p', timeout_ms: '1' }, 'timeout_ms'],
    [{ pool: 'p', schedule_policy: 'monopoly' }, 'schedule_policy'],
    [{ pool: 'p', tenant: 1 }, 'tenant'],
    [{ pool: 'p', labels: [] }, 'labels'],
    [{ pool: 'p', labels: { 'a b': 'c' } }, 'labels.a b'],
    [{ pool: 'p', labels: { a: 'b c' } }, 'labels.a'],
    [{ pool: 'p', labels: { tenantId: 'a' } }, 'labels.tenantId'],
    [shared, 'resources'],
    [{ ...shared, resources: {} }, 'resources'],
    [{ ...shared, resources: { requests: { cpu: 1 } } }, 'resources.requests.cpu'],
    [{ ...shared, resources: { requests: { cpu: 'much' } } }, 'resources.requests.cpu'],
    [{ ...shared, resources: { requests: { gpu: '1' } } }, 'resources.requests.gpu'],
    [{ ...shared, resources: { requests: { cpu: '0' } } }, 'resources.requests'],
  ])('%j', async (body, member) => {
    const { status, json } = await api.claim(body)
    expect({ status, code: json.code }).toEqual({ status: 400, code: 1001 })
    expect(json.message).toContain(member)
    expect(json).not.toHaveProperty('result')
  })

  test.each([
    'limit=0',
    'limit=1001',
    'limit=x',
    'offset=-1',
    'state=gone',
    'from=yesterday',
    'to=1e3',
    'cursor=x',
    'cursor=&offset=1',
    'bk_pod_id=-1',
    'pool=%zz',
  ])('GET ?%s', async (query) => {
    const { status, json } = await api.list(`?${query}`)
    expect({ status, code: json.code }).toEqual({ status: 400, code: 1001 })
    expect(json.message).toContain(query.includes('%') ? 'percent-encoding' : query.split('=')[0])
  })

  test('Last-Event-ID', async () => {
    expect(await api.send('GET', `${instancesPath}/events?after=x`)).toMatchObject({
      status: 400,
      json: { code: 1001 },
    })
  })

  test('the lease of an instance without one', async () => {
    await insertReady(api.db, await insertPool(api.db, 'p'), 1)
    const { json } = await api.claim({ pool: 'p' })
    expect(await api.keepAlive(String(json.result?.id))).toMatchObject({ status: 400, json: { code: 1001 } })
  })
})

describe('404', () => {
  test.each([
    [{ pool: 'p' }, 'the pool p'],
    [{ group: 'g' }, 'a pool of the group g'],
    [{ pool_labels: ['a', 'b'] }, 'a pool with one of the label keys a, b'],
    [{ pool: 'p', count: 2 }, 'the pool p'],
    [{ ...shared, resources: { requests: { cpu: '1' } } }, 'the pool p'],
  ])('%j: 4120', async (body, what) => {
    expect(await api.claim(body)).toMatchObject({
      status: 404,
      json: { code: 4120, message: `${what} does not exist or has been deleted` },
    })
  })

  test('1003 on every route of one instance, also with an id longer than any', async () => {
    for (const id of ['nobody', 'x'.repeat(2_000)])
      for (const call of [api.get, api.release, api.keepAlive])
        expect(await call(id)).toMatchObject({ status: 404, json: { code: 1003 } })
  })
})

describe('409', () => {
  test('1004: an id that is taken, a request id with another body', async () => {
    await insertReady(api.db, await insertPool(api.db, 'p'), 2)
    await api.claim({ pool: 'p', id: 'a' })
    await api.claim({ pool: 'p', request_id: 'r' })
    for (const body of [
      { pool: 'p', id: 'a' },
      { pool: 'p', request_id: 'r', priority: 1 },
    ])
      expect(await api.claim(body)).toMatchObject({ status: 409, json: { code: 1004 } })
  })

  test.each([
    [5, false, 'the pool p has failed: Running'],
    [6, false, 'the pool p is being deleted'],
    [4, true, 'the pool p is being drained'],
  ])('1002: status %s, draining %s', async (status, draining, message) => {
    const pool = await insertPool(api.db, 'p', { status })
    await api.db.query('update pool set draining = $1', [draining])
    await insertReady(api.db, pool, 1)
    for (const body of [{ pool: 'p' }, { group: 'default' }, { pool: 'p', count: 1 }])
      expect(await api.claim(body)).toMatchObject({ status: 409, json: { code: 1002, message } })
  })
})

test('413, 1001: a body over 8 MiB', async () => {
  const body = JSON.stringify({ pool: 'p', tenant: 'x'.repeat(8 * 1024 * 1024) })
  expect(await api.claim(body)).toMatchObject({ status: 413, json: { code: 1001 } })
})

test('422, 1006: what can never fit', async () => {
  await insertPool(api.db, 'p', { size: 3, requests: { cpu: '1' } })
  for (const body of [
    { ...shared, resources: { requests: { cpu: '2' } } },
    { pool: 'p', count: 4 },
  ])
    expect(await api.claim(body)).toMatchObject({ status: 422, json: { code: 1006 } })
})

test('429, 1002: the line is full', async () => {
  await insertPool(api.db, 'p')
  const service = createInstanceService({ db: api.db, settings: { lineLimit: 1 } })
  const { app } = await buildInstancesApp(service, api.events)
  const claim = () =>
    app.inject({ method: 'POST', url: instancesPath, headers: { host: 'localhost' }, payload: { pool: 'p' } })
  const waiting = claim()
  await untilWaiting(api.db, 1)
  const refused = await claim()
  expect(refused.statusCode).toBe(429)
  expect(refused.headers['retry-after']).toBe('5')
  expect(refused.json()).toMatchObject({ code: 1002, message: expect.stringContaining('the line is full') })
  await service.standDown()
  const stopped = await waiting
  expect(stopped.statusCode).toBe(503)
  expect(stopped.headers['retry-after']).toBe('1')
  expect(stopped.json()).toMatchObject({ code: 1002 })
  await app.close()
  await service.stop()
})

describe('504, 1002: nothing came free in time, and why', () => {
  test.each([
    ['full', { size: 0 }, [], 'the pool p is full: 0 pods are in use, 0 is the most'],
    ['scaling', { size: 1, maxSize: 2 }, [], 'the pool p is scaling: none of its pods is ready, 0 of 2 are in use'],
    [
      'images failing',
      { size: 1 },
      ['2 pods: ImagePullBackOff'],
      'the pool p makes no pods ready: 2 pods: ImagePullBackOff',
    ],
  ])('%s', async (_, options, notes, message) => {
    await insertPool(api.db, 'p', options)
    await api.db.query('update pool set msg_notes = $1', [notes])
    expect(await api.claim({ pool: 'p', timeout_ms: 0 })).toMatchObject({ status: 504, json: { code: 1002, message } })
    expect(await api.claim({ pool: 'p', timeout_ms: 10 })).toMatchObject({ status: 504, json: { code: 1002, message } })
  })
})

test('503, 122002: the database cannot be reached', async () => {
  const db = openDatabase({ connection: { host: '/nowhere', port: 5432, user: 'x', database: 'x' } })
  const service = createInstanceService({ db })
  const { app } = await buildInstancesApp(service, api.events)
  for (const [method, url, payload] of [
    ['POST', instancesPath, { pool: 'p' }],
    ['POST', instancesPath, { pool: 'p', count: 2 }],
    ['GET', instancesPath, undefined],
    ['GET', `${instancesPath}/a`, undefined],
    ['PUT', `${instancesPath}/a/lease`, undefined],
    ['DELETE', `${instancesPath}/a`, undefined],
  ] as const) {
    const answer = await app.inject({
      method,
      url,
      headers: { host: 'localhost' },
      ...(payload === undefined ? {} : { payload }),
    })
    expect(answer.statusCode).toBe(503)
    expect(answer.json()).toMatchObject({ code: 122002 })
  }
  await app.close()
  await service.stop()
  await db.close()
})

test('401 without the token, 403 for a foreign page', async () => {
  const { app } = await buildInstancesApp(api.service, api.events, createAccess({ kind: 'token', token: 'sesame' }))
  const routes = [
    ['POST', instancesPath],
    ['GET', instancesPath],
    ['GET', `${instancesPath}/events`],
    ['GET', `${instancesPath}/a`],
    ['PUT', `${instancesPath}/a/lease`],
    ['DELETE', `${instancesPath}/a`],
  ] as const
  for (const [method, url] of routes) {
    const answer = await app.inject({ method, url })
    expect(answer.statusCode).toBe(401)
    expect(answer.json()).toMatchObject({ code: 1014 })
    const foreign = await api.app.inject({ method, url, headers: { host: 'localhost', origin: 'http://evil.example' } })
    expect(foreign.statusCode).toBe(403)
  }
  await app.close()
})

describe('the lease', () => {
  test('is kept alive at half its time, and ends the instance when it is not', async () => {
    const pool = await insertPool(api.db, 'p')
    await insertReady(api.db, pool, 1)
    const { json } = await api.claim({ pool: 'p', lease_seconds: 600 })
    const id = String(json.result?.id)
    expect(json.result).toMatchObject({ lease: { keepalive_ms: 300_000 } })
    const before = expiryOf(json)
    await moveClock(api.db, 400)
    const kept = await api.keepAlive(id)
    expect(kept.status).toBe(200)
    const after = expiryOf(kept.json)
    expect(after - before).toBeGreaterThanOrEqual(400_000)
    await moveClock(api.db, 400)
    await api.service.sweep()
    expect((await api.get(id)).json.result).toMatchObject({ state: 'running' })
    await moveClock(api.db, 200)
    await api.service.sweep()
    expect((await api.get(id)).json.result).toMatchObject({ state: 'expired', reason: 'its lease ran out' })
    expect(await api.keepAlive(id)).toMatchObject({ status: 404, json: { code: 1003, message: /its lease ran out/ } })
    expect(await api.db.query('select reason from retired')).toEqual([{ reason: 'expired' }])
  })

  test('that ran out is not kept alive any more, though nobody swept it yet', async () => {
    const pool = await insertPool(api.db, 'p')
    await insertReady(api.db, pool, 1)
    const service = createInstanceService({ db: api.db })
    const { json } = await api.claim({ pool: 'p', lease_seconds: 60 })
    await api.db.query(`update instance set expires_at = instance_now() - interval '1 millisecond'`)
    const renewal = await service.renew(String(json.result?.id))
    expect(renewal.kind).toBe('ended')
    await service.stop()
  })
})

test('metrics: claims by what they came to, and the wait', async () => {
  await insertReady(api.db, await insertPool(api.db, 'p'), 3)
  const value = async (name: string) => {
    const text = await api.metrics.registry.metrics()
    return Number(new RegExp(`^${name.replace(/[{}]/g, '\\$&')} (\\S+)$`, 'm').exec(text)?.[1] ?? 0)
  }
  const names = [
    'podyard_claims_total{result="warm"}',
    'podyard_claims_total{result="repeat"}',
    'podyard_claims_total{result="timeout"}',
    'podyard_claims_total{result="unknown"}',
    'podyard_instances_bound_total{warm="true"}',
    'podyard_claim_duration_seconds_count{warm="true"}',
    'podyard_instances_ended_total{state="released"}',
  ]
  const before = await Promise.all(names.map(value))
  const { json } = await api.claim({ pool: 'p', count: 2, request_id: 'r' })
  await api.claim({ pool: 'p', count: 2, request_id: 'r' })
  await api.claim({ pool: 'p', count: 2 })
  await api.claim({ pool: 'nothing' })
  for (const { id } of instancesOf(json)) await api.release(id)
  const after = await Promise.all(names.map(value))
  expect(after.map((n, i) => n - (before[i] as number))).toEqual([1, 1, 1, 1, 2, 1, 2])
})
