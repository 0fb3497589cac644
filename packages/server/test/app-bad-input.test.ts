/**
 * Bodies that no client should send, to every route of the document: no JSON, names that mean something to JavaScript, too
 * much of anything. Each is answered in the family's own form, and leaves nothing behind.
 */
import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { useRefusals } from './support/refusals.ts'

const refusals = useRefusals()
const { app, urlOf, expectRefusal } = refusals

const bytes = (...parts: readonly (string | number)[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part))))

describe('bodies that are no JSON: 130600, 1001 and 1199000 on every route that reads one', () => {
  test.each<readonly [string, string | Buffer]>([
    ['a lone brace', '{'],
    ['cut off in a string', '{"data":[{"bk_biz_id":1,"pods":[{"name":"po'],
    ['cut off in an escape', '{"data":"\\u00'],
    ['cut off in a number', '{"bk_biz_id":-'],
    ['cut off in a word', '{"bk_biz_id":nul'],
    ['bytes after it', '{} x'],
    ['a second value', '{}{}'],
    ['a comma too many', '{"bk_biz_id":1,}'],
    ['single quotes', "{'bk_biz_id':1}"],
    ['a comment', '{} // done'],
    ['NaN', '{"bk_biz_id":NaN}'],
    ['a leading zero', '{"bk_biz_id":01}'],
    ['a plus sign', '{"bk_biz_id":+1}'],
    ['hexadecimal', '{"bk_biz_id":0x1}'],
    ['a tab in a string', '{"a":"\t"}'],
    ['an unknown escape', '{"a":"\\x41"}'],
    ['a byte order mark', bytes(0xef, 0xbb, 0xbf, '{"bk_biz_id":1}')],
    ['UTF-16', Buffer.from('{"bk_biz_id":1}', 'utf16le')],
    ['a byte that is no UTF-8', bytes('{"a":"', 0xff, '"}')],
    ['an overlong form', bytes('{"a":"', 0xc0, 0xaf, '"}')],
    ['a surrogate in UTF-8', bytes('{"a":"', 0xed, 0xa0, 0x80, '"}')],
    ['a character cut in half', bytes('{"a":"', 0xe5, 0xad)],
    ['compressed', bytes(0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0)],
    ['NUL in a value', '{"a":"\\u0000"}'],
    ['NUL in a name', '{"\\u0000":1}'],
    ['NUL as it is', '{"a":"\u0000"}'],
    ['NUL after it', '{}\u0000'],
    ['half a surrogate pair', '{"a":"\\ud83d"}'],
    ['its other half', '{"a":"\\ude00"}'],
    ['the halves the wrong way round', '{"a":"\\ude00\\ud83d"}'],
    ['half a pair in a name', '{"\\ud83d":1}'],
    ['beyond 2^53', '{"bk_biz_id":9007199254740993}'],
    ['beyond 2^53, somewhere deep', '{"x":[{"y":[-9007199254740993]}]}'],
    ['beyond 2^63', '{"size":9223372036854775808}'],
    ['a list', '[]'],
    ['a text', '"{}"'],
    ['a number', '1'],
    ['true', 'true'],
    ['1,001 levels', `${'{"a":'.repeat(1_001)}1${'}'.repeat(1_001)}`],
    ['a million levels', `{"a":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`],
    ['four million levels that never end', '['.repeat(4_000_000)],
  ])('%s', async (name, body) => {
    // The largest ones on two routes only: what they cost does not depend on the route.
    const large = body.length > 100_000
    for (const operation of refusals
      .withBody()
      .filter((one) => !large || /updatePool|batch_create_kube_pod/.test(one.name))) {
      const answer = await app.send({ method: operation.method, url: urlOf(operation), body })
      await expectRefusal(operation, answer, name)
      expect(answer).toMatchObject(
        operation.family === 'serverless' || operation.family === 'instances'
          ? {
              status: 400,
              json: { code: operation.family === 'serverless' ? 130600 : 1001, message: expect.stringMatching(/./) },
            }
          : { status: 200, json: { code: 1199000, details: [{ message: expect.stringMatching(/./) }] } },
      )
    }
  })

  test.each(['/topo/v3', '/host/v3', '/prod/api/v3', '/api/bk-cmdb/prod/api/v3'])('under %s too', async (root) => {
    for (const operation of refusals.withBody().filter(({ family }) => family === 'inventory')) {
      const url = urlOf(operation).replace('/api/v3', root)
      const answer = await app.send({ method: operation.method, url, body: '{"a":' })
      await expectRefusal(operation, answer, url)
      expect(answer.json).toMatchObject({ code: 1199000 })
    }
  })

  test('a number that becomes infinite is not taken for null', async () => {
    const search = { method: 'POST', url: '/api/v3/findmany/kube/pod' }
    const answer = await app.send({
      ...search,
      body: '{"bk_biz_id":1,"page":{"limit":1},"filter":{"field":"priority","operator":"less","value":1e400}}',
    })
    expect(answer.json).toMatchObject({
      code: 1199000,
      details: [{ message: expect.stringContaining('out of range') }],
    })
  })
})

describe('what JavaScript reads into names', () => {
  const names = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf', 'length']

  test('as unknown members they change nothing', async () => {
    // To a pool an empty change is one: to size 0.
    for (const operation of refusals.withBody().filter(({ name }) => name !== 'updatePool')) {
      const url = urlOf(operation)
      const plain = await app.send({ method: operation.method, url, body: '{}' })
      for (const name of names)
        for (const value of ['null', '1', '"x"', '[]', '{}', '{"bk_biz_id":1,"isAdmin":true,"toString":1}']) {
          const body = `{${JSON.stringify(name)}:${value}}`
          const answer = await app.send({ method: operation.method, url, body })
          expect({ ...(answer.json as object), request_id: '' }, `${operation.name} ${body}`).toEqual({
            ...(plain.json as object),
            request_id: '',
          })
        }
    }
    expect(({} as { isAdmin?: unknown }).isAdmin).toBeUndefined()
    await refusals.reset()
  })

  test('as names of a client they are kept', async () => {
    const own = Object.fromEntries(names.filter((name) => name !== '__proto__').map((name) => [name, 'v']))
    const labels = JSON.parse(`{"__proto__":"v",${JSON.stringify(own).slice(1)}`) as object
    const rows = [{ bk_namespace_id: 1, name: '__proto__', labels, selector: { match_labels: labels } }]
    const made = await app.send({
      method: 'POST',
      url: '/api/v3/createmany/kube/workload/job',
      body: { bk_biz_id: 1, data: rows },
    })
    expect(made.json).toMatchObject({ code: 0 })
    const found = await app.send({
      method: 'POST',
      url: '/api/v3/findmany/kube/workload/job',
      body: {
        bk_biz_id: 1,
        page: { limit: 1 },
        filter: {
          field: 'labels',
          operator: 'filter_object',
          value: { field: '__proto__', operator: 'equal', value: 'v' },
        },
      },
    })
    const [row] = (found.json as { data: { info: { labels: object; selector: object }[] } }).data.info
    expect(Object.entries(row?.labels ?? {}).sort()).toEqual(Object.entries(labels).sort())
    expect(JSON.stringify(row?.selector)).toContain('"__proto__":"v"')
    await refusals.reset()
  })

  test('an object that brings its own toString is no id', async () => {
    for (const given of [{ toString: 1 }, [{ toString: null }], [[1]], { length: 1 }, true])
      for (const method of ['PUT', 'DELETE']) {
        const answer = await app.send({ method, url: '/api/v3/hosts/batch', body: { bk_host_id: given, bk_sn: 'x' } })
        expect(answer.json, JSON.stringify(given)).toMatchObject({ code: 1199011 })
      }
    expect(await app.fingerprint()).toEqual(refusals.before)
  })
})

describe('bodies over 8 MiB: 413 on every route that reads one', () => {
  const limit = 8 * 1024 * 1024
  const forms: readonly (readonly [string, () => { body: unknown; headers?: Record<string, string> }])[] = [
    ['one byte more', () => ({ body: Buffer.alloc(limit + 1, ' ') })],
    ['announced, and not sent', () => ({ body: '{}', headers: { 'content-length': String(limit + 1) } })],
    ['announced as more than anything', () => ({ body: '{}', headers: { 'content-length': '99999999999999999999' } })],
    [
      'in chunks',
      () => ({
        body: Readable.from(Array.from({ length: 9 }, () => Buffer.alloc(1024 * 1024, '['))),
        headers: { 'transfer-encoding': 'chunked' },
      }),
    ],
  ]
  test.each(forms)('%s', async (name, form) => {
    for (const operation of refusals.withBody()) {
      const answer = await app.send({ method: operation.method, url: urlOf(operation), ...form() })
      await expectRefusal(operation, answer, name)
      expect(answer).toMatchObject({
        status: 413,
        json: { code: { serverless: 4104, instances: 1001, inventory: 1199004, v1: 413 }[operation.family] },
      })
    }
  })
})

describe('work out of proportion to what was sent', () => {
  const many = (n: number, one: string) => Array.from({ length: n }, () => one).join(',')
  const host = '"bk_obj_id":"host","condition":'
  // Each took minutes, or lost a connection to the database. The limit of time is far above what any takes now.
  test.each<readonly [string, string, string, number]>([
    [
      'addresses',
      '/hosts/search',
      `{"ip":{"exact":1,"flag":"bk_host_innerip","data":[${many(500_000, '"1.1.1.1"')}]}}`,
      0,
    ],
    [
      'areas',
      '/hosts/search',
      `{"ip":{"exact":1,"flag":"bk_host_innerip","data":[${Array.from({ length: 50_000 }, (_, i) => `"${i}:1.1.1.1"`).join()}]}}`,
      1199006,
    ],
    [
      'flags',
      '/hosts/search',
      `{"ip":{"exact":1,"flag":"${'bk_host_innerip|'.repeat(300_000)}bk_host_outerip","data":["1.1.1.1"]}}`,
      0,
    ],
    [
      'conditions',
      '/hosts/search',
      `{"condition":[${many(70_000, `{${host}[{"field":"bk_host_id","operator":"$eq","value":1}]}`)}]}`,
      1199006,
    ],
    [
      'conditions on modules',
      '/hosts/app/1/list_hosts',
      `{"page":{"limit":1},"module_cond":[${many(70_000, '{"field":"bk_module_id","operator":"$eq","value":1}')}]}`,
      1199006,
    ],
    [
      'times',
      '/biz/search/0',
      `{"time_condition":{"rules":[${many(70_000, '{"field":"create_time","start":"2020-01-01 00:00:00"}')}]}}`,
      1199006,
    ],
    [
      'rules',
      '/findmany/kube/pod',
      `{"bk_biz_id":1,"page":{"limit":1},"filter":{"condition":"OR","rules":[${many(70_000, '{"field":"id","operator":"equal","value":1}')}]}}`,
      1199006,
    ],
    ['ids', '/deletemany/biz', `{"bk_biz_id":[${many(3_000_000, '1')}]}`, 1199035],
  ])('%s', async (_name, path, body, code) => {
    const start = performance.now()
    const answer = await app.send({ method: 'POST', url: `/api/v3${path}`, body })
    expect(performance.now() - start).toBeLessThan(15_000)
    expect(answer.status).toBe(200)
    expect(answer.json).toMatchObject({ code })
    expect(app.logged).toEqual([])
    expect(await app.fingerprint()).toEqual(refusals.before)
  })
})
