/**
 * Paths, queries, methods and headers out of order, on every route of the document. Each is answered in the family's own
 * form, and leaves nothing behind.
 */
import { describe, expect, test } from 'vitest'
import { familyOf } from './support/openapi-document.ts'
import { useRefusals } from './support/refusals.ts'

const refusals = useRefusals()
const { app, urlOf, expectRefusal } = refusals

describe('paths and queries', () => {
  test.each(['%', '%zz', '%e5%ad', '%ff', '%c0%af', 'a%'])('broken percent-encoding in a path: %s', async (broken) => {
    for (const operation of refusals.operations.filter(({ path }) => path.includes('{'))) {
      const url = operation.path.replace(/\{\w+\}/g, broken)
      const answer = await app.send({ method: operation.method, url, ...(operation.body ? { body: '{}' } : {}) })
      await expectRefusal(operation, answer, url)
      const codes = { serverless: 4104, instances: 1001, inventory: 1199000, v1: 400 }
      expect(answer).toMatchObject({ status: 400, json: { code: codes[operation.family] } })
    }
  })

  test.each(['%', '%zz', '%ff'])('broken percent-encoding in a query: %s', async (broken) => {
    for (const operation of refusals.operations) {
      const url = `${urlOf(operation)}?${operation.parameters[0]?.name ?? 'x'}=${broken}`
      const answer = await app.send({ method: operation.method, url, ...(operation.body ? { body: '[' } : {}) })
      await expectRefusal(operation, answer, url)
    }
  })

  test('an id that is longer than any', async () => {
    for (const operation of refusals.operations.filter(({ path }) => path.includes('{'))) {
      for (const id of ['9'.repeat(1_000), '9'.repeat(1_025), 'x'.repeat(10_000), '%F0%9F%90%99'.repeat(300)]) {
        const url = operation.path.replace(/\{\w+\}$|\{\w+\}(?=\/[^{]*$)/, id).replace(/\{\w+\}/g, 'enable')
        const answer = await app.send({
          method: operation.method,
          url,
          ...(operation.body ? { body: '{"size":1}' } : {}),
        })
        await expectRefusal(operation, answer, url.slice(0, 100))
        // A name may be repeated, twice; not a whole path.
        expect(answer.body.length).toBeLessThan(3_000)
      }
    }
  })

  test('a slash at the end, two slashes, another case, dots', async () => {
    for (const operation of refusals.operations) {
      const path = urlOf(operation)
      for (const url of [
        `${path}/`,
        path.replace('/', '//'),
        path.toUpperCase(),
        `${path}/..`,
        `${path}%2f`,
        `${path};x=1`,
      ]) {
        const answer = await app.send({ method: operation.method, url, ...(operation.body ? { body: '[' } : {}) })
        const family = familyOf(new URL(url, 'http://localhost').pathname)
        await expectRefusal({ ...operation, family }, answer, url)
      }
    }
  })

  test('methods that a path does not have', async () => {
    for (const operation of refusals.operations)
      for (const method of ['HEAD', 'OPTIONS', 'PATCH', 'TRACE', 'GET', 'POST', 'PUT', 'DELETE']) {
        const url = urlOf(operation)
        const isThere = refusals.operations.some(
          (one) => one.method === method && new RegExp(`^${one.path.replace(/\{\w+\}/g, '[^/]+')}$`).test(url),
        )
        if (isThere || (method === 'HEAD' && operation.family === 'v1')) continue
        const answer = await app.send({ method, url })
        expect(answer.status, `${method} ${url}`).toBe(404)
        if (method !== 'HEAD') await expectRefusal(operation, answer, `${method} ${url}`)
      }
  })
})

describe('headers', () => {
  const get = { method: 'GET', url: '/serverless/v1/podpools' }

  test.each([
    ['a line break', 'a\r\nx-evil: 1'],
    ['a bare newline', 'a\nb'],
    ['a tab', 'a\tb'],
    ['NUL', 'a\u0000b'],
    ['an escape sequence', '\u001b[31mred'],
    ['a quote', 'a"b'],
    ['129 characters', 'a'.repeat(129)],
    ['nothing', ''],
    ['a space', 'a b'],
    ['a letter outside ASCII', 'é'],
  ])('a request id with %s is replaced', async (_name, id) => {
    for (const header of ['x-request-id', 'x-bkapi-request-id', 'cc_request_id']) {
      const answer = await app.send({ ...get, headers: { [header]: id } })
      expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/)
      expect(answer.headers['x-evil']).toBeUndefined()
    }
  })

  test.each([
    'text/plain',
    'application/xml',
    'multipart/form-data; boundary=x',
    'nonsense',
    ';',
    '',
    'application/json; charset=utf-16',
    `a/${'b'.repeat(5_000)}`,
  ])('content type %.40s', async (type) => {
    for (const operation of refusals.withBody()) {
      const answer = await app.send({
        method: operation.method,
        url: urlOf(operation),
        body: '[',
        headers: { 'content-type': type },
      })
      await expectRefusal(operation, answer, type)
    }
  })

  test('credentials and names of any form do no harm while Podyard runs open', async () => {
    for (const value of [
      '',
      'Bearer',
      'Bearer  ',
      'Basic x',
      '{',
      '[]',
      'null',
      '{"bk_username":1}',
      '{"__proto__":{"bk_username":"x"}}',
      'x'.repeat(10_000),
      'é',
    ])
      for (const name of [
        'authorization',
        'x-bkapi-authorization',
        'bk_user',
        'x-bkcmdb-user',
        'x-bkcmdb-supplier-account',
        'cookie',
        'x-bkcmdb-language',
        'accept',
        'origin-x',
      ]) {
        for (const operation of refusals.operations.filter((one) =>
          /listPools|listPoolEvents|list_kube_pod/.test(one.name),
        )) {
          const answer = await app.send({
            method: operation.method,
            url: urlOf(operation),
            headers: { [name]: value },
            ...(operation.body ? { body: '{}' } : {}),
          })
          await expectRefusal(operation, answer, `${name}: ${value.slice(0, 50)}`)
        }
      }
  })
})
