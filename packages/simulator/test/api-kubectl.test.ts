import { expect, test } from 'vitest'
import { type clientOf, startApi } from './api-client.ts'
import commands from './api-kubectl-requests.json' with { type: 'json' }

/** What kubectl 1.32 asked a simulator for, recorded with `kubectl -v=9`. The version of the recorded watch is replaced. */

type Table = {
  readonly kind: string
  readonly columnDefinitions: readonly { readonly name: string; readonly priority: number }[]
  readonly rows: readonly { readonly cells: readonly unknown[]; readonly object: { readonly kind: string } }[]
}

test.each(commands)('$command', async ({ requests }) => {
  const { simulator } = await startApi()
  for (const { path, accept } of requests) {
    const current = path.replace(/resourceVersion=\d+/, `resourceVersion=${simulator.store.revision}`)
    const watch = current.includes('watch=true')
    const response = await fetch(`${simulator.url}${current}${watch ? '&timeoutSeconds=1' : ''}`, {
      headers: { accept },
    })
    expect(response.status, path).toBe(200)
    const type = response.headers.get('content-type')
    if (path.startsWith('/api?') || path.startsWith('/apis?')) {
      // kubectl compares this type by its parts and falls back to many requests when it differs.
      expect(type).toBe('application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList')
      expect(await response.json()).toMatchObject({ kind: 'APIGroupDiscoveryList' })
    } else if (watch) {
      await response.text()
    } else if (accept.includes('as=Table')) {
      const table = (await response.json()) as Table
      expect(table.kind).toBe('Table')
      for (const { cells, object } of table.rows) {
        expect(cells).toHaveLength(table.columnDefinitions.length)
        expect(object.kind).toBe('PartialObjectMetadata')
      }
    } else {
      expect(await response.json()).toMatchObject({ kind: 'Deployment', apiVersion: 'apps/v1' })
    }
  }
})

const asTable = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' }

async function tableOf(client: ReturnType<typeof clientOf>, path: string): Promise<Table> {
  return (await client.call('GET', path, undefined, asTable)).body as unknown as Table
}

test('every kind has the columns that the real server prints', async () => {
  const client = await startApi()
  const expected: Readonly<Record<string, string>> = {
    '/api/v1/pods': 'Name Ready Status Restarts Age IP+ Node+ Nominated Node+ Readiness Gates+',
    '/apis/apps/v1/deployments': 'Name Ready Up-to-date Available Age Containers+ Images+ Selector+',
    '/apis/apps/v1/replicasets': 'Name Desired Current Ready Age Containers+ Images+ Selector+',
    '/apis/autoscaling/v2/horizontalpodautoscalers': 'Name Reference Targets MinPods MaxPods Replicas Age',
    '/api/v1/nodes':
      'Name Status Roles Age Version Internal-IP+ External-IP+ OS-Image+ Kernel-Version+ Container-Runtime+',
    '/api/v1/namespaces': 'Name Status Age',
    '/api/v1/events': 'Last Seen Type Reason Object Subobject+ Source+ Message First Seen+ Count+ Name+',
    '/api/v1/configmaps': 'Name Data Age',
    '/api/v1/secrets': 'Name Type Data Age',
    '/api/v1/serviceaccounts': 'Name Age',
    '/apis/coordination.k8s.io/v1/leases': 'Name Holder Age',
    '/apis/node.k8s.io/v1/runtimeclasses': 'Name Handler Age',
    '/api/v1/persistentvolumeclaims':
      'Name Status Volume Capacity Access Modes StorageClass VolumeAttributesClass Age VolumeMode+',
    '/api/v1/persistentvolumes':
      'Name Capacity Access Modes Reclaim Policy Status Claim StorageClass VolumeAttributesClass Reason Age VolumeMode+',
  }
  for (const [path, columns] of Object.entries(expected)) {
    const { columnDefinitions } = await tableOf(client, path)
    const shown = columnDefinitions.map(({ name, priority }) => (priority === 1 ? `${name}+` : name)).join(' ')
    expect(shown, path).toBe(columns)
  }
})

test('rows carry what includeObject asks for', async () => {
  const client = await startApi()
  const path = '/api/v1/nodes/node-1'
  expect((await tableOf(client, path)).rows[0]?.object).toMatchObject({ kind: 'PartialObjectMetadata' })
  expect((await tableOf(client, `${path}?includeObject=Object`)).rows[0]?.object).toMatchObject({ kind: 'Node' })
  expect((await tableOf(client, `${path}?includeObject=None`)).rows[0]?.object).toBeNull()
  const bad = await client.call('GET', `${path}?includeObject=Zap`, undefined, asTable)
  expect([bad.status, bad.body.message]).toEqual([
    400,
    `Unable to convert to Table as requested: includeObject: Invalid value: "Zap": must be 'Metadata', 'Object', 'None', or empty`,
  ])
})

test('a watched table names its columns once', async () => {
  const client = await startApi()
  const stream = await client.watch('/api/v1/nodes?watch=true', asTable)
  const first = (await stream.next())?.object as unknown as Table
  const second = (await stream.next())?.object as unknown as Table
  expect(first.columnDefinitions.map(({ name }) => name).slice(0, 2)).toEqual(['Name', 'Status'])
  expect(first.rows[0]?.cells.slice(0, 3)).toEqual(['node-1', 'Ready', 'controlplane'])
  expect(second.columnDefinitions).toBeNull()
})
