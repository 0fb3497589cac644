/** find/kube/{object}/attributes (container API reference 1.12). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { filterFields, type KubeObject } from '../src/inventory/fields.ts'
import { listOperations } from '../src/inventory/list-operations.ts'
import { useDatabase } from './support/database.ts'
import { type InventoryClient, inventoryClient } from './support/inventory-client.ts'

const t = useDatabase()
let api: InventoryClient
beforeAll(async () => {
  api = await inventoryClient(listOperations(t.db))
})
afterAll(() => api.app.close())

type Attribute = { field: string; type: string; required: boolean }
const get = { method: 'GET' } as const
const attributesOf = (object: string) => api.ok<Attribute[]>(`/find/kube/${object}/attributes`, undefined, get)

describe('find/kube/{object}/attributes', () => {
  test('find/kube/{object}/attributes: 0 with field, type and required, in the original’s order', async () => {
    expect(await attributesOf('namespace')).toEqual([
      { field: 'name', type: 'string', required: true },
      { field: 'labels', type: 'mapString', required: false },
      { field: 'cluster_uid', type: 'string', required: true },
      { field: 'resource_quotas', type: 'array', required: false },
    ])
    const names = async (object: string) => (await attributesOf(object)).map((one) => one.field)
    expect(await names('cluster')).toHaveLength(14)
    expect(await names('node')).toHaveLength(11)
    expect(await names('workload')).toHaveLength(8)
    expect((await names('customResource')).slice(0, 3)).toEqual(['name', 'cr_kind', 'cr_api_version'])
    expect(await names('pod')).toEqual(
      'name priority labels ip ips controlled_by container_uid volumes qos_class node_selectors tolerations operator'.split(
        ' ',
      ),
    )
    expect(await names('container')).toHaveLength(12)
  })

  test('find/kube/{object}/attributes: 0 with nothing for biz and folder', async () => {
    expect(await attributesOf('biz')).toEqual([])
    expect(await attributesOf('folder')).toEqual([])
  })

  test('find/kube/{object}/attributes: 0 on every root', async () => {
    for (const root of ['/api/v3', '/topo/v3', '/host/v3', '/prod/api/v3', '/api/bk-cmdb/prod/api/v3']) {
      const answer = await api.app.inject({
        url: `${root}/find/kube/pod/attributes`,
        headers: { host: '127.0.0.1:8080' },
      })
      expect(answer.json(), root).toMatchObject({ result: true, code: 0, data: expect.any(Array) })
    }
  })

  test.each(['deployment', 'Pod', 'pods', 'constructor', '__proto__', '%20', 'x'.repeat(300)])(
    'find/kube/{object}/attributes: 1199006 object for %.20s',
    async (object) => {
      expect(await api.refused(`/find/kube/${object}/attributes`, undefined, get)).toEqual([
        1199006,
        "'object' data parameter verification does not pass",
      ])
    },
  )

  test.each(['cluster', 'node', 'namespace', 'workload', 'pod', 'container'] as const)(
    'every attribute of a %s can stand in a filter under its type',
    async (object: KubeObject) => {
      const types = new Map(filterFields(object).map((field) => [field.name, field.type]))
      // The row says so of the business's own word for it; filters know the field as well.
      for (const { field, type } of await attributesOf(object)) expect([field, types.get(field)]).toEqual([field, type])
    },
  )
})
