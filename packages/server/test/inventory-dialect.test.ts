import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAccess } from '../src/access/access.ts'
import { cmdbErrors, storageUnavailable } from '../src/errors.ts'
import { operation, registerCmdbDialect } from '../src/http/cmdb-dialect.ts'
import { type App, buildServer } from '../src/http/server.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { createMetrics } from '../src/telemetry/metrics.ts'

const body = Type.Unsafe<{ n?: number | null; list?: { name?: string | null }[] | null } | null>({
  type: ['object', 'null'],
  properties: {
    n: { type: ['integer', 'null'] },
    list: { type: ['array', 'null'], items: { type: 'object', properties: { name: { type: ['string', 'null'] } } } },
  },
})

const operations = [
  operation({
    name: 'batch_create_thing',
    method: 'POST',
    path: '/createmany/thing/:kind',
    esb: true,
    storage: 'insert',
    summary: 'Creates things',
    body,
    data: Type.Object({ kind: Type.String() }),
    async handle(call, input) {
      if (input?.n === 1) throw cmdbErrors.tooMany('ids', 10)
      if (input?.n === 2) throw storageUnavailable(new Error('socket /var/secret'))
      if (input?.n === 3) throw new Error('a secret of ours')
      return { kind: call.params.kind, user: call.caller.user, n: input?.n }
    },
  }),
  operation({
    name: 'batch_delete_thing',
    method: 'DELETE',
    path: '/deletemany/thing',
    esb: false,
    storage: 'delete',
    summary: 'Deletes things',
    body,
    data: Type.Null(),
    handle: async (_call, input) => ({ n: input?.n }),
  }),
]

async function build(access: ReturnType<typeof createAccess>, language: 'en' | 'zh-cn'): Promise<App> {
  return buildServer({
    version: '0.0.0',
    logger: createLogger({ level: 'silent' }),
    metrics: createMetrics(),
    access,
    notReadyBecause: async () => undefined,
    routes: (app) => registerCmdbDialect(app, { access, language, operations }),
  })
}

let app: App
let guarded: App
beforeAll(async () => {
  app = await build(createAccess({ kind: 'open' }), 'en')
  guarded = await build(createAccess({ kind: 'token', token: 'geheim' }), 'zh-cn')
})
afterAll(async () => {
  await app.close()
  await guarded.close()
})

const path = '/createmany/thing/deployment'
type Options = { headers?: Record<string, string>; method?: 'POST' | 'DELETE' | 'GET'; to?: App }
async function send(url: string, payload?: string | Buffer | object, options: Options = {}) {
  const answer = await (options.to ?? app).inject({
    method: options.method ?? 'POST',
    url,
    headers: {
      host: '127.0.0.1:8080',
      ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(payload === undefined
      ? {}
      : { payload: typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload) }),
  })
  return { status: answer.statusCode, headers: answer.headers, body: answer.json() }
}

describe('paths', () => {
  test.each([
    `/api/v3${path}`,
    `/topo/v3${path}`,
    `/host/v3${path}`,
    `/prod/api/v3${path}`,
    `/api/bk-cmdb/prod/api/v3${path}`,
  ])('%s', async (url) => {
    expect(await send(url, { n: 5 })).toMatchObject({
      status: 200,
      body: { result: true, data: { kind: 'deployment', n: 5 } },
    })
  })

  test.each(['/api/c/compapi/v2/cc/batch_create_thing/', '/api/c/compapi/v2/cc/batch_create_thing'])(
    '%s takes path parameters from the body',
    async (url) => {
      const sent = { n: 5, kind: 'deployment', bk_app_code: 'a', bk_app_secret: 's', bk_username: 'u', bk_token: 't' }
      expect((await send(url, sent)).body.data).toEqual({ kind: 'deployment', n: 5, user: 'admin' })
    },
  )

  test('DELETE carries a body', async () => {
    expect((await send('/api/v3/deletemany/thing', { n: 7 }, { method: 'DELETE' })).body.data).toEqual({ n: 7 })
  })

  test.each([
    ['POST', '/api/v3/nowhere'],
    ['POST', '/prod/api/v3/nowhere'],
    ['POST', '/api/bk-cmdb/prod/api/v3/nowhere'],
    ['POST', '/api/c/compapi/v2/cc/nowhere/'],
    ['POST', '/api/c/compapi/v2/cc/batch_delete_thing/'],
    ['GET', `/api/v3${path}`],
  ] as const)('%s %s is unknown: code -1', async (method, url) => {
    expect(await send(url, undefined, { method })).toMatchObject({
      status: 404,
      body: { result: false, code: -1, bk_error_code: -1, data: null },
    })
  })

  test('only the path under /api/v3 is documented', async () => {
    const document = (await app.inject({ url: '/openapi.json', headers: { host: 'localhost' } })).json()
    const paths = Object.keys(document.paths).filter((p) => p.includes('thing'))
    expect(paths).toEqual(['/api/v3/createmany/thing/{kind}', '/api/v3/deletemany/thing'])
    expect(document.paths[paths[0] as string].post).toMatchObject({
      operationId: 'batch_create_thing',
      tags: ['inventory'],
    })
  })
})

describe('envelope', () => {
  test('success has both name pairs, permission, data and the request id', async () => {
    const answer = await send(`/api/v3${path}`, {}, { headers: { 'x-request-id': 'r-1' } })
    expect(answer.headers['x-request-id']).toBe('r-1')
    expect(answer.body).toEqual({
      result: true,
      code: 0,
      message: 'success',
      bk_error_code: 0,
      bk_error_msg: 'success',
      permission: null,
      data: { kind: 'deployment', user: 'admin' },
      request_id: 'r-1',
    })
  })

  test('a business error is HTTP 200', async () => {
    const answer = await send(`/api/v3${path}`, { n: 1 })
    expect(answer).toMatchObject({
      status: 200,
      body: {
        result: false,
        code: 1199035,
        bk_error_code: 1199035,
        message: ' ids exceed the limit 10',
        bk_error_msg: ' ids exceed the limit 10',
        permission: null,
        data: null,
      },
    })
  })

  test('the language: the request before the installation', async () => {
    const messageIn = async (headers: Record<string, string>, to = app) =>
      (await send(`/api/v3${path}`, { n: 1 }, { headers: { authorization: 'Bearer geheim', ...headers }, to })).body
        .message
    const english = ' ids exceed the limit 10'
    const chinese = ' ids 超过限制 10'
    expect(await messageIn({ 'x-bkcmdb-language': 'zh-cn' })).toBe(chinese)
    expect(await messageIn({ http_blueking_language: 'cn' })).toBe(chinese)
    expect(await messageIn({ cookie: 'a=b; blueking_language=zh-cn' })).toBe(chinese)
    expect(await messageIn({ 'x-bkcmdb-language': 'fr' })).toBe(english)
    expect(await messageIn({}, guarded)).toBe(chinese)
    expect(await messageIn({ 'x-bkcmdb-language': 'en' }, guarded)).toBe(english)
  })

  test('storage down is 503 with the code of what was to be done; nothing internal shows', async () => {
    const answer = await send(`/api/v3${path}`, { n: 2 })
    expect(answer).toMatchObject({ status: 503, body: { code: 1199018, message: 'New data failed' } })
    expect(JSON.stringify(answer.body)).not.toContain('secret')
  })

  test('a defect is 500 with the request id', async () => {
    const answer = await send(`/api/v3${path}`, { n: 3 }, { headers: { 'x-request-id': 'r-3' } })
    expect(answer).toMatchObject({
      status: 500,
      body: { result: false, code: 1199999, message: "'r-3' Internal Server Error" },
    })
  })
})

describe('bodies', () => {
  test.each([
    ['nothing', undefined],
    ['null', 'null'],
    ['{}', '{}'],
  ])('%s is a body with nothing given', async (_name, payload) => {
    expect((await send(`/api/v3${path}`, payload)).body.result).toBe(true)
  })

  test.each([
    ['{"n":1', '', 'unexpected end of JSON input'],
    ['[]', '', 'must be either object or null'],
    ['{"n":"1"}', 'n', 'must be either integer or null'],
    ['{"list":[{},{"name":3}]}', 'list[1].name', 'must be either string or null'],
    ['{"n":9007199254740993}', '', 'a number at line 1, column 6 is beyond 2^53 and would be rounded'],
    ['{"x":"\\u0000"}', '', 'a string holds the character U+0000 at line 1, column 6'],
    ['{"x":"\\ud800"}', '', 'a string holds an unpaired surrogate at line 1, column 6'],
  ])('%s: 1199000, and where', async (payload, at, message) => {
    const answer = await send(`/api/v3${path}`, payload)
    expect(answer).toMatchObject({
      status: 200,
      body: { code: 1199000, message: 'Deserializing JSON data failed', data: null },
    })
    expect(answer.body.details).toEqual([{ path: at, message }])
  })

  test('over 8 MiB: 413', async () => {
    const answer = await send(`/api/v3${path}`, Buffer.alloc(8 * 1024 * 1024 + 1, ' '))
    expect(answer).toMatchObject({ status: 413, body: { result: false, code: 1199004, message: 'Data read failed' } })
  })

  test.each([
    ['application/json; charset=utf-8', 200],
    ['application/x-www-form-urlencoded', 200],
    ['application/vnd.api+json', 200],
    ['text/plain', 415],
    ['application/xml', 415],
    ['nonsense', 415],
  ])('content type %s: %i', async (type, status) => {
    const answer = await send(`/api/v3${path}`, { n: 5 }, { headers: { 'content-type': type } })
    expect(answer.status).toBe(status)
    expect(answer.body.result).toBe(status === 200)
    expect(answer.body.code).toBe(status === 200 ? 0 : 1199000)
  })

  test('no content type at all is JSON', async () => {
    const answer = await app.inject({
      method: 'POST',
      url: `/api/v3${path}`,
      headers: { host: '127.0.0.1' },
      payload: Buffer.from('{"n":5}'),
    })
    expect(answer.json().data.n).toBe(5)
  })
})

describe('access', () => {
  test('without credentials 401, before the body is judged', async () => {
    for (const payload of ['{"n":5}', '{"n":', '{"n":"x"}'])
      expect(await send(`/topo/v3${path}`, payload, { to: guarded })).toMatchObject({
        status: 401,
        body: { result: false, code: 1199047, data: null },
      })
  })

  test.each([
    [{ authorization: 'Bearer geheim' }, {}],
    [{ 'x-bkapi-authorization': '{"bk_app_secret":"geheim","bk_username":"ann"}' }, {}],
    [{}, { bk_token: 'geheim', bk_username: 'ann' }],
  ])('credentials %j %j', async (headers, sent) => {
    const answer = await send(`/api/v3${path}`, sent, { to: guarded, headers: headers as Record<string, string> })
    expect(answer).toMatchObject({ status: 200, body: { result: true } })
  })

  test('wrong credentials 401', async () => {
    const answer = await send(`/api/v3${path}`, {}, { to: guarded, headers: { authorization: 'Bearer falsch' } })
    expect(answer.status).toBe(401)
  })

  test('the open mode refuses foreign hosts in the envelope', async () => {
    const answer = await send(`/api/v3${path}`, {}, { headers: { host: 'evil.example' } })
    expect(answer).toMatchObject({ status: 403, body: { result: false, code: 1199047 } })
  })
})
