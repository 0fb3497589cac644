import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAccess } from '../src/access/access.ts'
import { type App, buildServer, checkAccess, denyAsProblem } from '../src/http/server.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { createMetrics } from '../src/telemetry/metrics.ts'

const lines: string[] = []
let ready: string | undefined
let app: App

beforeAll(async () => {
  app = await buildServer({
    version: '0.0.0',
    logger: createLogger({ level: 'info', destination: { write: (line: string) => void lines.push(line) } }),
    metrics: createMetrics(),
    access: createAccess({ kind: 'open' }),
    notReadyBecause: async () => ready,
    routes: async (server) => {
      const access = createAccess({ kind: 'open' })
      server.addHook('preValidation', async (request) => {
        if (request.url.startsWith('/v1')) checkAccess(access, request, denyAsProblem)
      })
      server.get('/v1/who', async (request) => request.caller)
      server.get('/v1/defect', async () => {
        throw new Error('internal detail')
      })
    },
  })
})
afterAll(() => app.close())

const get = (url: string, headers: Record<string, string> = {}) =>
  app.inject({ url, headers: { host: '127.0.0.1:8080', ...headers } })

describe('the HTTP shell', () => {
  test('probes: alive always, ready only when ready, neither is logged', async () => {
    lines.length = 0
    expect((await get('/healthz')).statusCode).toBe(200)
    expect((await get('/readyz')).statusCode).toBe(200)
    ready = 'the database does not answer'
    expect(await get('/readyz')).toMatchObject({ statusCode: 503, body: 'not ready: the database does not answer\n' })
    ready = undefined
    expect(lines).toEqual([])
  })

  test('one log line per request, with its id, which goes in and out', async () => {
    lines.length = 0
    const answer = await get('/v1/who', { 'x-request-id': 'abc-1' })
    expect(answer.headers['x-request-id']).toBe('abc-1')
    expect(lines).toHaveLength(1)
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      requestId: 'abc-1',
      method: 'GET',
      path: '/v1/who',
      status: 200,
    })
    const broken = await get('/v1/who', { 'x-request-id': 'a\tb"' })
    expect(broken.headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/)
  })

  test('an unknown route and a defect are problem documents; a defect tells nothing but the request id', async () => {
    expect((await get('/nowhere')).json()).toMatchObject({ status: 404, title: 'Not Found' })
    const defect = await get('/v1/defect')
    expect(defect.statusCode).toBe(500)
    expect(defect.headers['content-type']).toContain('application/problem+json')
    expect(defect.body).not.toContain('internal detail')
    expect(defect.json().requestId).toBe(defect.headers['x-request-id'])
  })

  test('broken percent-encoding in the path is 400', async () => {
    expect((await get('/v1/%zz')).statusCode).toBe(400)
  })

  test('the open mode answers loopback names and the same origin only', async () => {
    expect((await get('/v1/who')).json()).toEqual({ user: 'admin', tenant: '0' })
    expect((await get('/v1/who', { host: 'evil.example' })).statusCode).toBe(403)
    expect((await get('/v1/who', { origin: 'http://evil.example' })).statusCode).toBe(403)
    expect((await get('/v1/who', { 'sec-fetch-site': 'cross-site' })).statusCode).toBe(403)
    expect(
      (await get('/v1/who', { origin: 'http://127.0.0.1:8080', 'sec-fetch-site': 'same-origin' })).statusCode,
    ).toBe(200)
  })

  test('the document and its page', async () => {
    expect((await get('/openapi.json')).json()).toMatchObject({ openapi: '3.1.0', info: { title: 'Podyard' } })
    expect((await get('/docs/')).body).toContain('swagger-ui')
    expect((await get('/metrics')).body).toContain('podyard_http_requests_total')
  })
})
