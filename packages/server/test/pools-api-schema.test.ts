import { readFile } from 'node:fs/promises'
import {
  named,
  PoolCreateAnswer,
  PoolCreateBody,
  PoolDone,
  PoolEventList,
  PoolListAnswer,
  PoolUpdateBody,
  poolEventSchemas,
  ServerlessError,
  serverlessPoolSchemas,
} from '@podyard/contract'
import fastify from 'fastify'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { schemaController } from '../src/http/validators.ts'
import { path, resources, usePoolsApi } from './support/pools-api.ts'

/** What goes over the wire is what the document says: the schemas of `contract`, checked by the server's own validator. */
const api = usePoolsApi()
const checker = fastify({ schemaController })
const schemas = [
  PoolCreateBody,
  PoolUpdateBody,
  PoolCreateAnswer,
  PoolListAnswer,
  PoolDone,
  PoolEventList,
  ServerlessError,
]

beforeAll(async () => {
  for (const schema of [...serverlessPoolSchemas, ...poolEventSchemas]) checker.addSchema(schema)
  for (const schema of schemas)
    checker.post(`/${(schema as { $id?: string }).$id}`, { schema: { body: named(schema) } }, async () => 'conforms')
  await checker.ready()
})
afterAll(() => checker.close())

const conforms = async (schema: string, value: unknown) => {
  const answer = await checker.inject({ method: 'POST', url: `/${schema}`, payload: value as object })
  return answer.body
}

test('requests', async () => {
  const seed = await readFile(new URL('./fixtures/seed-create-pod-pool.json', import.meta.url), 'utf8')
  expect(await conforms('PoolCreateBody', JSON.parse(seed))).toBe('conforms')
  expect(await conforms('PoolCreateBody', { pools: [{ id: 'a', resources, group: null, labels: { a: 5 } }] })).toBe(
    'conforms',
  )
  expect(await conforms('PoolUpdateBody', { size: 1, max_size: null })).toBe('conforms')
  for (const wrong of [
    { pools: [] },
    { pools: [{ id: '-', resources }] },
    { pools: [{ id: 'a' }] },
    { pools: [{ id: 'a', resources, size: '1' }] },
  ])
    expect(await conforms('PoolCreateBody', wrong)).not.toBe('conforms')
})

test('answers', async () => {
  const created = await api.create({
    pools: [
      { id: 'a', resources },
      { id: 'b', resources, labels: {}, size: 1, max_size: 2 },
    ],
  })
  expect(await conforms('PoolCreateAnswer', created.json)).toBe('conforms')
  const failed = await api.create({ pools: [{ id: 'a', resources }] })
  expect(await conforms('PoolCreateAnswer', failed.json)).toBe('conforms')
  expect(await conforms('PoolListAnswer', await api.query())).toBe('conforms')
  expect(await conforms('PoolListAnswer', await api.query('?limit=0'))).toBe('conforms')
  await api.setStatus(4)
  expect(await conforms('PoolDone', (await api.send('PUT', `${path}/a`, { size: 1 })).json)).toBe('conforms')
  expect(await conforms('ServerlessError', (await api.send('PUT', `${path}/a`, { size: 1 })).json)).toBe('conforms')
  expect(await conforms('PoolDone', (await api.send('DELETE', `${path}?id=a`)).json)).toBe('conforms')
  expect(await conforms('PoolEventList', (await api.send('GET', '/v1/pools/a/events')).json)).toBe('conforms')
})
