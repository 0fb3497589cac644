/** A transfer's memory does not grow with its rows: tens of thousands of pods go through a heap that holds a few of them. */
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { podyard } from './support/podyard.ts'

/** 10,000 pods of 10 KB are more than the heap can hold. */
const podCount = 10_000
const env = { NODE_OPTIONS: '--max-old-space-size=64' }
const filling = 'x'.repeat(10_000)
const timeoutMs = 300_000

let dir: string
let server: Server
let url: string
/** Pods that were written. */
let written = 0
beforeEach(() => {
  written = 0
})
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'podyard-memory-'))
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const data = answer((request.url ?? '').replace('/api/v3', ''), JSON.parse(Buffer.concat(chunks).toString()))
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ result: true, code: 0, message: 'success', data }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  server.close()
  await rm(dir, { recursive: true, force: true })
})

type Body = {
  readonly page?: { readonly enable_count?: boolean; readonly cursor?: string }
  readonly filter?: { readonly rules: readonly { readonly field: string; readonly value: readonly number[] }[] }
  readonly data?: readonly { readonly pods?: readonly unknown[] }[]
}

const host = { bk_host_id: 1, bk_host_innerip: '10.0.0.1', bk_cloud_id: 0 }
const parents: Readonly<Record<string, object>> = {
  cluster: { id: 1, bk_biz_id: 1, uid: 'c', name: 'c', type: 'INDEPENDENT_CLUSTER' },
  namespace: { id: 1, bk_biz_id: 1, bk_cluster_id: 1, cluster_uid: 'c', name: 'ns' },
  node: { id: 1, bk_biz_id: 1, bk_cluster_id: 1, cluster_uid: 'c', bk_host_id: 1, name: 'n' },
  'workload/deployment': { id: 1, bk_biz_id: 1, bk_namespace_id: 1, cluster_uid: 'c', namespace: 'ns', name: 'web' },
}
const pod = (id: number) => ({
  id,
  bk_biz_id: 1,
  cluster_uid: 'c',
  namespace: 'ns',
  bk_host_id: 1,
  bk_node_id: 1,
  node_name: 'n',
  ref: { kind: 'deployment', id: 1, name: 'web' },
  name: `pod-${id}`,
  operator: [filling],
})

/** As much of the API as a transfer asks for, over pods that are made as they are asked for. */
function answer(path: string, { page, filter, data }: Body): unknown {
  if (path === '/biz/search/0') return { count: 1, info: [{ bk_biz_id: 1, bk_biz_name: 'b', bk_biz_maintainer: 'a' }] }
  if (path.startsWith('/hosts/')) return { count: 1, info: [host] }
  if (path.startsWith('/createmany/')) {
    const pods = data?.[0]?.pods?.length ?? 0
    written += pods
    return { ids: Array.from({ length: pods || (data?.length ?? 0) }, (_, i) => i + 1) }
  }
  const list = path.replace('/findmany/kube/', '')
  if (page?.enable_count === true) return { count: list === 'pod' ? podCount : 1, info: [] }
  if (list === 'container') {
    const ids = filter?.rules.find((rule) => rule.field === 'bk_pod_id')?.value ?? []
    const first = Number(page?.cursor || 0)
    const info = ids
      .slice(first, first + 500)
      .map((id) => ({ id, bk_pod_id: id, name: 'main', container_uid: `c-${id}` }))
    return { count: 0, info, next_cursor: first + 500 < ids.length ? String(first + 500) : '' }
  }
  if (list !== 'pod') return { count: 0, info: parents[list] === undefined ? [] : [parents[list]], next_cursor: '' }
  // Looked for by name: those of the file are new.
  if (filter !== undefined) return { count: 0, info: [], next_cursor: '' }
  const first = Number(page?.cursor || 0)
  const info = Array.from({ length: Math.min(500, podCount - first) }, (_, i) => pod(first + i + 1))
  return { count: 0, info, next_cursor: first + 500 < podCount ? String(first + 500) : '' }
}

test(
  'an export',
  async () => {
    const command = podyard(['export', '--biz', '1', '--server', url, '-o', join(dir, 'out.ndjson')], { env })
    expect(await command.ended, command.stderr()).toBe(0)
    expect(command.stderr()).toContain('10,000 pods')
  },
  timeoutMs,
)

test.each([
  ['a dry run', ['--dry-run'], 0],
  ['an import', [], podCount],
] as const)(
  '%s',
  async (name, flags, expected) => {
    const file = join(dir, `${name}.ndjson`)
    await pipeline(
      Readable.from(lines()).map((line) => `${JSON.stringify(line)}\n`),
      createWriteStream(file),
    )
    const command = podyard(['import', file, '--server', url, ...flags], { env })
    expect(await command.ended, command.stderr()).toBe(0)
    expect(written).toBe(expected)
  },
  timeoutMs,
)

function* lines() {
  yield { type: 'podyard-export', version: 1, business: 'b' }
  yield { type: 'business', data: { bk_biz_name: 'b', bk_biz_maintainer: 'a' } }
  for (let i = 1; i <= podCount; i += 1)
    yield {
      type: 'pod',
      cluster: 'c',
      namespace: 'ns',
      workload: { kind: 'deployment', name: 'web' },
      node: 'n',
      data: { name: `new-${i}`, operator: [filling], containers: [] },
    }
  yield { type: 'end', counts: { business: 1, pod: podCount } }
}
