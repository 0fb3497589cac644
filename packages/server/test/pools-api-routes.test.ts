import { beforeAll, describe, expect, test } from 'vitest'
import { createAccess } from '../src/access/access.ts'
import { openDatabase } from '../src/store/database.ts'
import { buildPoolsApp, path, resources, usePoolsApi } from './support/pools-api.ts'

const api = usePoolsApi()
beforeAll(async () => {
  await api.create({ pools: [{ id: 'a', resources }] })
})

describe('unknown paths and methods', () => {
  test.each([
    ['GET', `${path}/a`],
    ['DELETE', `${path}/a`],
    ['PATCH', `${path}/a`],
    ['POST', `${path}/a`],
    ['PUT', path],
    ['PUT', `${path}/`],
    ['PUT', `${path}/a%2Fb`],
    ['PUT', `${path}/a/b`],
    ['HEAD', path],
    ['OPTIONS', path],
    ['GET', '/serverless/v1/podpool'],
    ['GET', '/serverless/v1/PodPools'],
    ['GET', '/serverless/v1/podpools//'],
    ['GET', '/serverless'],
    ['GET', '/serverless/v1/nothing/'],
  ])('%s %s: 404 in plain text', async (method, url) => {
    const answer = await api.send(method, url, method === 'GET' || method === 'HEAD' ? undefined : { size: 1 })
    expect(answer.status).toBe(404)
    expect(answer.type).toMatch(/^text\/plain/)
    if (method !== 'HEAD') expect(answer.body).toBe('404 page not found')
  })

  test.each([
    ['GET', `${path}/?id=a&x=%20`, 301, `${path}?id=a&x=%20`],
    ['POST', `${path}/`, 307, path],
    ['DELETE', `${path}/?id=a`, 307, `${path}?id=a`],
    ['PUT', `${path}/a/`, 307, `${path}/a`],
  ])('%s %s: sent to where it would be a route', async (method, url, status, location) => {
    expect(await api.send(method, url)).toMatchObject({ status, location })
    expect((await api.query('?id=a')).result.pools?.[0]?.status).toBe(0)
  })

  test('a path with broken percent-encoding is 400 in the envelope', async () => {
    const answer = await api.send('PUT', `${path}/%zz`, { size: 1 })
    expect(answer.status).toBe(400)
    expect(answer.json).toMatchObject({ code: 4104 })
  })
})

describe('access', () => {
  test('401 without the token, in the envelope, before anything else is looked at', async () => {
    const { app } = await buildPoolsApp(api.db, createAccess({ kind: 'token', token: 'sesame' }))
    for (const [method, url] of [
      ['GET', path],
      ['POST', path],
      ['PUT', `${path}/a`],
      ['DELETE', `${path}?id=%zz`],
    ] as const) {
      const answer = await app.inject({ method, url, ...(method === 'GET' ? {} : { payload: '{broken' }) })
      expect(answer.statusCode).toBe(401)
      expect(answer.json()).toEqual({ code: 1014, message: expect.stringContaining('credentials') })
    }
    const events = await app.inject({ url: '/v1/pools/a/events' })
    expect(events.statusCode).toBe(401)
    expect(events.headers['content-type']).toContain('application/problem+json')
    const authorization = 'Bearer sesame'
    expect((await app.inject({ url: path, headers: { authorization } })).statusCode).toBe(200)
    expect((await app.inject({ url: '/v1/pools/a/events', headers: { authorization } })).statusCode).toBe(200)
    await app.close()
  })

  test('403 for a foreign page while Podyard runs open', async () => {
    const answer = await api.send('DELETE', `${path}?id=a`, undefined, { origin: 'http://evil.example' })
    expect(answer.status).toBe(403)
    expect(answer.json).toMatchObject({ code: 1014 })
  })
})

describe('503', () => {
  test('the database cannot be reached: at once, on every route, never an empty list', async () => {
    const db = openDatabase({ connection: { host: '/nowhere', port: 5432, user: 'x', database: 'x' } })
    const { app } = await buildPoolsApp(db)
    const headers = { host: '127.0.0.1:8080' }
    for (const [method, url, body] of [
      ['GET', path, undefined],
      ['POST', path, { pools: [{ id: 'a', resources }] }],
      ['PUT', `${path}/a`, { size: 1 }],
      ['DELETE', `${path}?id=a`, undefined],
    ] as const) {
      const answer = await app.inject({ method, url, headers, ...(body === undefined ? {} : { payload: body }) })
      expect(answer.statusCode).toBe(503)
      expect(answer.json()).toEqual({ code: 122002, message: 'etcd internal error' })
    }
    const events = await app.inject({ url: '/v1/pools/a/events', headers })
    expect(events.statusCode).toBe(503)
    expect(events.json()).toMatchObject({ code: 122002, status: 503 })
    // What is wrong by itself needs no database.
    const bad = await app.inject({ method: 'POST', url: path, headers, payload: { pools: [{ id: '-' }] } })
    expect(bad.statusCode).toBe(400)
    await app.close()
    await db.close()
  })
})

describe('500', () => {
  test('a defect tells the request id alone', async () => {
    const broken = { ...api.db, run: () => Promise.reject(new Error('internal detail')) }
    const { app, logged } = await buildPoolsApp(broken)
    const answer = await app.inject({ url: path, headers: { host: 'localhost', 'x-request-id': 'r-1' } })
    expect(answer.statusCode).toBe(500)
    expect(answer.json()).toEqual({
      code: 500,
      message: 'an unexpected error; quote the request id r-1 when you report it',
    })
    expect(logged.join('')).toContain('internal detail')
    await app.close()
  })
})

describe('the document', () => {
  test('describes the routes, and its schemas are named', async () => {
    const document = (await api.send('GET', '/openapi.json')).json as {
      paths: Record<string, Record<string, { operationId: string; responses: Record<string, unknown> }>>
      components: { schemas: Record<string, unknown> }
    }
    const operations = Object.entries(document.paths).flatMap(([url, methods]) =>
      Object.entries(methods).map(([method, { operationId }]) => `${method} ${url} ${operationId}`),
    )
    expect(operations.sort()).toEqual([
      'delete /serverless/v1/podpools deletePools',
      'get /serverless/v1/podpools listPools',
      'get /v1/pools/{id}/events listPoolEvents',
      'post /serverless/v1/podpools createPools',
      'put /serverless/v1/podpools/{id} updatePool',
    ])
    expect(Object.keys(document.components.schemas)).toEqual(
      expect.arrayContaining([
        'PoolInfo',
        'PoolView',
        'PoolCreateBody',
        'PoolUpdateBody',
        'PoolEvent',
        'ServerlessError',
      ]),
    )
    const references = JSON.stringify(document).match(/"#\/components\/schemas\/[^"]+"/g) ?? []
    expect(references.length).toBeGreaterThan(10)
    for (const reference of references)
      expect(document.components.schemas).toHaveProperty([reference.slice('"#/components/schemas/'.length, -1)])
  })
})
