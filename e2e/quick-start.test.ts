/** From an empty data directory: `npm start`, send the two seed requests as they are written, see the pods. */
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ServerProcess, startServerProcess } from './support/server-process.ts'
import { until } from './support/until.ts'

const seed = (name: string) =>
  readFile(new URL(`../packages/server/test/fixtures/${name}.json`, import.meta.url), 'utf8')

let dir: string
let server: ServerProcess

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'podyard-quick-start-'))
  await chmod(dir, 0o755)
  server = await startServerProcess({ dataDir: join(dir, 'data'), throughNpm: true })
})

afterAll(async () => {
  await server?.stop()
  await rm(dir, { recursive: true, force: true })
})

type Answer<T> = { readonly status: number; readonly body: T }
type Pool = {
  readonly id: string
  readonly status: number
  readonly ready_count: number
  readonly msg: string
  readonly scalable: boolean
}
type PoolList = { readonly result: { readonly count: number; readonly pools: readonly Pool[] } }
type PodRow = { readonly id: number; readonly name: string; readonly ip?: string; readonly node_name: string }
type Inventory<T> = { readonly result: boolean; readonly code: number; readonly message: string; readonly data: T }
type PodList = Inventory<{ readonly info: readonly PodRow[] }>

async function post<T>(path: string, body: string): Promise<Answer<T>> {
  const answer = await fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })
  return { status: answer.status, body: (await answer.json()) as T }
}

async function get<T>(path: string): Promise<T> {
  return (await (await fetch(server.url + path)).json()) as T
}

test('the pod of the first seed is stored, with its container, on rows that exist from the start', async () => {
  const created = await post<Inventory<{ readonly ids: readonly number[] }>>(
    '/api/c/compapi/v2/cc/batch_create_kube_pod/',
    await seed('seed-batch-create-kube-pod'),
  )
  expect(created).toMatchObject({
    status: 200,
    body: { result: true, code: 0, message: 'success', permission: null, data: { ids: [expect.any(Number)] } },
  })
  const podId = created.body.data.ids[0]
  const pods = await post<PodList>(
    '/api/v3/findmany/kube/pod',
    JSON.stringify({
      bk_biz_id: 1,
      filter: { condition: 'AND', rules: [{ field: 'id', operator: 'equal', value: podId }] },
      page: { start: 0, limit: 10 },
    }),
  )
  expect(pods.body.data.info).toEqual([
    expect.objectContaining({
      id: podId,
      bk_biz_id: 1,
      bk_cluster_id: 1,
      bk_namespace_id: 1,
      namespace: 'default',
      bk_host_id: 1,
      bk_node_id: 1,
      ref: { kind: 'deployment', name: expect.any(String), id: 1 },
      name: 'name',
      priority: 1,
      labels: { env: 'test' },
      ip: '127.0.0.1',
      ips: [{ ip: '127.0.0.1' }, { ip: '127.0.0.2' }],
    }),
  ])
  const containers = await post<PodList>(
    '/api/v3/findmany/kube/container',
    JSON.stringify({ bk_biz_id: 1, bk_pod_id: podId, page: { start: 0, limit: 10 } }),
  )
  expect(containers.body.data.info).toEqual([
    expect.objectContaining({ bk_pod_id: podId, name: 'name', container_uid: 'uid', image: 'xxx', started: 1 }),
  ])
})

test('the pool of the second seed runs with two ready pods, which the inventory lists with host, node and workload', async () => {
  const created = await post('/serverless/v1/podpools', await seed('seed-create-pod-pool'))
  expect(created).toEqual({ status: 200, body: { code: 0, message: '', result: { failed_pools: null } } })

  const pool = await until(
    async () => (await get<PoolList>('/serverless/v1/podpools?id=pool1')).result.pools[0],
    (found) => found?.status === 4 && found.ready_count === 2,
  )
  expect(pool?.msg).toMatch(/^Running; /)
  expect(pool?.msg).toContain('horizontal_pod_autoscaler_spec')
  expect(pool?.msg).toContain('topology_spread_constraints')
  expect(pool?.scalable).toBe(true)

  const filter = {
    condition: 'AND',
    rules: [
      {
        field: 'ref',
        operator: 'filter_object',
        value: { field: 'name', operator: 'equal', value: 'function-agent-pool1' },
      },
    ],
  }
  const pods = await until(
    async () =>
      (
        await post<PodList>(
          '/api/v3/findmany/kube/pod',
          JSON.stringify({ bk_biz_id: 1, filter, page: { start: 0, limit: 10 } }),
        )
      ).body.data.info,
    (found) => found.length === 2 && found.every((row) => row.ip),
  )
  for (const pod of pods) {
    expect(pod).toMatchObject({
      bk_biz_id: 1,
      bk_cluster_id: 1,
      namespace: 'default',
      ref: { kind: 'deployment', name: 'function-agent-pool1', id: expect.any(Number) },
      node_name: expect.stringMatching(/^node-/),
      bk_node_id: expect.any(Number),
      bk_host_id: expect.any(Number),
    })
  }
  // The pods of one pool prefer different nodes.
  expect(new Set(pods.map((pod) => pod.node_name)).size).toBe(2)

  const events = await get<{ readonly events: readonly unknown[] }>('/v1/pools/pool1/events')
  expect(events.events.length).toBeGreaterThan(2)
})

test('both survive a restart, the ids 1 too', async () => {
  expect(await server.stop()).toBe(0)
  server = await startServerProcess({ dataDir: join(dir, 'data'), throughNpm: true })
  const pool = (await get<PoolList>('/serverless/v1/podpools?id=pool1')).result.pools[0]
  expect(pool).toMatchObject({ status: 4, id: 'pool1' })
  const path = '/api/v3/createmany/kube/pod'
  const body = await seed('seed-batch-create-kube-pod')
  // The very same pod is there already; another name is another pod on the same rows.
  expect((await post<Inventory<unknown>>(path, body)).body).toMatchObject({ result: false, code: 1199014 })
  const renamed = body.replace(/("name"\s*:\s*)"name"/, '$1"second"')
  expect((await post<Inventory<unknown>>(path, renamed)).body).toMatchObject({ result: true, code: 0 })
  await until(
    async () => (await get<PoolList>('/serverless/v1/podpools?id=pool1')).result.pools[0]?.ready_count,
    (ready) => ready === 2,
  )
})

test('deleting the pool takes its pods out of the cluster and the inventory', async () => {
  const deleted = await fetch(`${server.url}/serverless/v1/podpools?id=pool1`, { method: 'DELETE' })
  expect(await deleted.json()).toEqual({ code: 0, message: '', result: null })
  await until(
    async () => (await get<PoolList>('/serverless/v1/podpools?id=pool1')).result.count,
    (count) => count === 0,
  )
  await until(
    async () =>
      (
        await post<PodList>(
          '/api/v3/findmany/kube/pod',
          JSON.stringify({
            bk_biz_id: 1,
            filter: { field: 'name', operator: 'begins_with', value: 'function-agent-pool1' },
            page: { start: 0, limit: 10 },
          }),
        )
      ).body.data.info.length,
    (count) => count === 0,
  )
})
