/** The document of the API says what there is, and its page needs nobody else. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startApp } from '../src/app.ts'
import { loadConfig } from '../src/config.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { useApp } from './support/app.ts'
import { connectionTo } from './support/database.ts'
import { type Document, operationsOf, schemaProblem } from './support/openapi-document.ts'
import type { Schema } from './support/schema-arbitrary.ts'

const app = useApp()
let document: Document
beforeAll(async () => {
  document = (await app.send({ method: 'GET', url: '/openapi.json' })).json as Document
})

/** Every object inside a JSON value, with where it is. */
function* objectsIn(value: unknown, at = '#'): Generator<readonly [string, Readonly<Record<string, unknown>>]> {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) yield [at, value as Record<string, unknown>]
  for (const [name, member] of Object.entries(value)) yield* objectsIn(member, `${at}/${name}`)
}

describe('the document', () => {
  test('is OpenAPI 3.1 with a title, a version and a licence', () => {
    expect(document).toMatchObject({
      openapi: expect.stringMatching(/^3\.1\.\d+$/),
      info: { title: 'Podyard', version: '0.0.0', license: { identifier: 'Apache-2.0' } },
    })
  })

  test('every reference leads somewhere, and every component is used', () => {
    const used = new Set<string>()
    for (const [at, object] of objectsIn(document)) {
      if (typeof object.$ref !== 'string') continue
      expect(object.$ref, at).toMatch(/^#\/components\/schemas\/\w+$/)
      const name = object.$ref.slice('#/components/schemas/'.length)
      expect(document.components.schemas, at).toHaveProperty([name])
      used.add(name)
    }
    expect(Object.keys(document.components.schemas).sort()).toEqual([...used].sort())
  })

  test('every operation has an id of its own, a summary, one known tag and described answers with a schema', () => {
    const operations = operationsOf(document)
    const ids = operations.map(({ described }) => described.operationId)
    expect(new Set(ids).size).toBe(ids.length)
    for (const { name, described, method, path } of operations) {
      expect(described.operationId, `${method} ${path}`).toMatch(/^[a-zA-Z]\w+$/)
      expect(described.summary, name).toMatch(/^\S.*[^.\s]$/)
      expect([['inventory'], ['pools'], ['instances']], name).toContainEqual(described.tags)
      const answers = Object.entries(described.responses ?? {})
      expect(
        answers.map(([status]) => status),
        name,
      ).toEqual(expect.arrayContaining(['200', '401', '403', '503']))
      for (const [status, { description, content }] of answers) {
        expect(description, `${name} ${status}`).toMatch(/\S/)
        expect(description, `${name} ${status}`).not.toBe('Default Response')
        expect(Object.values(content ?? {})[0]?.schema, `${name} ${status}`).toBeDefined()
      }
    }
  })

  test('path parameters are those of the path, and required', () => {
    for (const { name, path, parameters } of operationsOf(document)) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter)
      const declared = parameters.filter((parameter) => parameter.in === 'path')
      expect(declared.map((parameter) => parameter.name).sort(), name).toEqual(inPath.sort())
      for (const parameter of declared) expect(parameter.required, name).toBe(true)
    }
  })

  test('every schema has types that JSON Schema knows, patterns that compile, and bounds the right way round', () => {
    const types = ['null', 'boolean', 'object', 'array', 'number', 'integer', 'string']
    const seen = new Set<Schema>()
    const check = (schema: Schema, at: string): void => {
      if (seen.has(schema)) return
      seen.add(schema)
      for (const type of schema.type === undefined ? [] : [schema.type].flat()) expect(types, at).toContain(type)
      if (schema.pattern !== undefined) expect(() => new RegExp(schema.pattern ?? '', 'u'), at).not.toThrow()
      if (schema.minimum !== undefined && schema.maximum !== undefined)
        expect(schema.minimum, at).toBeLessThanOrEqual(schema.maximum)
      for (const required of schema.required ?? [])
        expect(schema.properties, `${at} ${required}`).toHaveProperty([required])
      for (const [name, member] of Object.entries(schema.properties ?? {})) check(member, `${at}.${name}`)
      for (const [i, choice] of (schema.anyOf ?? []).entries()) check(choice, `${at}|${i}`)
      if (schema.items !== undefined) check(schema.items, `${at}[]`)
      if (typeof schema.additionalProperties === 'object') check(schema.additionalProperties, `${at}.*`)
    }
    for (const [name, schema] of Object.entries(document.components.schemas)) check(schema, name)
    for (const { name, body, described, parameters } of operationsOf(document)) {
      if (body !== undefined) check(body, name)
      for (const parameter of parameters) check(parameter.schema, `${name} ${parameter.name}`)
      for (const [status, { content }] of Object.entries(described.responses ?? {}))
        for (const { schema } of Object.values(content ?? {})) if (schema) check(schema, `${name} ${status}`)
    }
    expect(seen.size).toBeGreaterThan(100)
  })

  test('the documented examples of both APIs are what the document says', async () => {
    for (const [name, file] of [
      ['createPools', 'seed-create-pod-pool.json'],
      ['batch_create_kube_pod', 'seed-batch-create-kube-pod.json'],
    ] as const) {
      const body = JSON.parse(await readFile(new URL(`./fixtures/${file}`, import.meta.url), 'utf8')) as unknown
      const schema = operationsOf(document).find((operation) => operation.name === name)?.body
      expect(schemaProblem(document, schema ?? {}, body), name).toBeUndefined()
    }
  })
})

describe('the routes', () => {
  /** Method and path of every route, as Fastify lists them. */
  function routes(): string[] {
    const found: string[] = []
    const above: string[] = []
    for (const line of app.app.printRoutes({ commonPrefix: false }).split('\n')) {
      const match = /^(.*?)[├└]── (\S+)(?: \((.*)\))?$/.exec(line)
      if (match === null) continue
      const [, indent = '', part = '', methods = ''] = match
      const depth = indent.length / 4
      above.length = depth
      above[depth] = part
      const path = above.join('')
      for (const method of methods.split(', ')) if (method !== '' && method !== 'HEAD') found.push(`${method} ${path}`)
    }
    return found
  }
  const asDocumented = (route: string) => route.replace(/:(\w+)/g, '{$1}')

  test('each is in the document, or one that is left out on purpose', () => {
    const documented = operationsOf(document).map(({ method, path }) => `${method} ${path}`)
    const all = routes().map(asDocumented)
    expect(all).toEqual(expect.arrayContaining(documented))
    const aliases = ['/topo/v3', '/host/v3', '/{stage}/api/v3', '/api/bk-cmdb/{stage}/api/v3']
    const shell = ['/healthz', '/readyz', '/metrics', '/openapi.json']
    const unexplained = all.filter((route) => {
      const [method = '', path = ''] = route.split(' ')
      // Businesses under their older name.
      const underApi = (root: string) => {
        const rest = path.slice(root.length)
        return `${method} /api/v3${rest.replace(/^\/app\//, '/biz/').replace(/\/app$/, '/biz')}`
      }
      if (documented.includes(route)) return false
      if (shell.includes(path) || path.startsWith('/docs')) return false
      if (['/api/v3', ...aliases].some((root) => path.startsWith(root) && documented.includes(underApi(root))))
        return false
      const esb = /^\/api\/c\/compapi\/v2\/cc\/(\w+)\/?$/.exec(path)?.[1]
      return !(method === 'POST' && operationsOf(document).some(({ name }) => name === esb))
    })
    // Three other names of hosts/search.
    const others = unexplained.filter(
      (route) => !/\/(findmany\/hosts\/search\/(noauth|resource)|hosts\/search\/asstdetail)$/.test(route),
    )
    expect(others).toEqual([])
  })

  test('the program as a whole serves what is tested here', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'podyard-openapi-'))
    const { host } = connectionTo(app.name)
    const { config } = loadConfig({
      flags: {
        listen: '127.0.0.1:0',
        'data-dir': dir,
        'database-url': `postgres://podyard@localhost/${app.name}?host=${encodeURIComponent(host)}`,
        'admin-token': 'openapi-token',
      },
      environment: {},
      readFile: () => '',
      workingDirectory: dir,
      checkout: dir,
      isRoot: false,
    })
    const running = await startApp(config, { logger: createLogger({ level: 'silent' }) })
    try {
      const served = (await (await fetch(`${running.url}/openapi.json`)).json()) as Document
      expect({ ...served, info: document.info }).toEqual(document)
    } finally {
      await running.stop()
      await rm(dir, { recursive: true, force: true })
    }
  })
})

describe('/docs', () => {
  const get = (url: string) => app.send({ method: 'GET', url })
  const foreign = /(?:https?:)?\/\/[\w.-]+\.\w/

  test.each(['/docs', '/docs/'])('%s: the page and everything that it loads come from here', async (url) => {
    const page = await get(url)
    expect(page).toMatchObject({ status: 200, type: 'text/html; charset=utf-8' })
    expect(page.body).not.toMatch(foreign)
    const assets = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, asset]) => asset ?? '')
    expect(assets.length).toBeGreaterThan(3)
    for (const asset of assets) {
      const answer = await get(new URL(asset, `http://localhost${url === '/docs' ? '/' : url}`).pathname)
      expect(answer.status, asset).toBe(200)
      expect(answer.body.length, asset).toBeGreaterThan(0)
      if (asset.endsWith('.css'))
        for (const [, target] of answer.body.matchAll(/url\(['"]?([^)'"]+)/g)) expect(target).toMatch(/^data:/)
      if (asset.endsWith('.css')) expect(answer.body).not.toMatch(/@import/)
    }
  })

  test('no answer allows the browser to go elsewhere, nor asks it for TLS', async () => {
    for (const url of ['/docs', '/docs/', '/docs/static/swagger-ui.css', '/docs/json']) {
      const policy = String((await get(url)).headers['content-security-policy'])
      expect(policy).toContain("default-src 'self'")
      expect(policy).not.toMatch(/https?:|\*|unsafe|upgrade-insecure-requests|\.io/)
    }
  })

  test('the page shows this document, and asks no validator', async () => {
    const initializer = (await get('/docs/static/swagger-initializer.js')).body
    expect(initializer).toContain("resolveUrl('./json')")
    expect(initializer).toContain('"validatorUrl":null')
    expect((await get('/docs/json')).json).toEqual(document)
  })

  test.each([
    '/docs/nothing',
    '/docs/static/nothing',
    '/docs/static/%2e%2e/package.json',
    '/docs/static/..%2f..%2fpackage.json',
    '/docs/static/%00',
    '/docs/%zz',
  ])('%s is not there', async (url) => {
    const answer = await get(url)
    expect([400, 403, 404]).toContain(answer.status)
    expect(answer.type).toBe('application/problem+json; charset=utf-8')
  })
})

afterAll(() => {
  expect(app.logged).toEqual([])
})
