import type { WatchData } from '@podyard/contract'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EventLog } from '../src/events/event-log.ts'
import { encodeCursor, noEventCursor } from '../src/events/watch-cursor.ts'
import { watchOperations } from '../src/events/watch-operations.ts'
import { businessOperations } from '../src/inventory/business-operations.ts'
import { hostOperations } from '../src/inventory/host-operations.ts'
import { kubeOperations } from '../src/inventory/kube-operations.ts'
import { useDatabase } from './support/database.ts'
import { startEventLog } from './support/event-log.ts'
import { type InventoryClient, inventoryClient } from './support/inventory-client.ts'
import { addSeedRows, emptyInventory, newPod } from './support/kube-rows.ts'

const t = useDatabase()

let api: InventoryClient
/** The same, but its watches do not wait. */
let quick: InventoryClient
let events: ReturnType<typeof startEventLog>
/** The time that `bk_start_from` is compared with. */
let now = Date.now()
const watches = (log: EventLog, waitMs: number) =>
  watchOperations({ log, now: () => now, retentionDays: 7, waitMs, refusalMs: 0 })
// A log per test: it keeps what it has read in memory, and the table is emptied.
beforeEach(async () => {
  now = Date.now()
  await emptyInventory(t.db)
  events = startEventLog(t.db)
  api = await inventoryClient([
    ...businessOperations(t.db),
    ...hostOperations(t.db),
    ...kubeOperations({ db: t.db, now: Date.now }),
    ...watches(events.log, 60_000),
  ])
  quick = await inventoryClient(watches(events.log, 20))
  await addSeedRows(t.db, api)
  await settled()
})
afterEach(async () => {
  await events.stop()
  await Promise.all([api.app.close(), quick.app.close()])
})

/** Waits until the log has passed everything that is committed. */
async function settled(): Promise<void> {
  const [row] = await t.db.query<{ last: number }>('select coalesce(max(seq), 0) as last from event')
  await events.log.movedBeyond((row?.last ?? 0) - 1, AbortSignal.timeout(60_000))
}

const watch = (resource: string, body: object = {}) => api.ok<WatchData>(`/event/watch/resource/${resource}`, body)
const refused = (resource: string, body: object) => api.refused(`/event/watch/resource/${resource}`, body)
const types = (data: WatchData) => data.bk_events.map((event) => event.bk_event_type)
const details = (data: WatchData) => data.bk_events.map((event) => event.bk_detail as Record<string, unknown>)
const lastCursor = (data: WatchData) => data.bk_events.at(-1)?.bk_cursor as string
const createPods = (...pods: object[]) =>
  api.ok<{ ids: number[] }>('/createmany/kube/pod', { data: [{ bk_biz_id: 1, pods }] })
const deletePods = (...ids: number[]) =>
  api.ok('/deletemany/kube/pod', { data: [{ bk_biz_id: 1, ids }] }, { method: 'DELETE' })
const nothing = (resource: string, cursor: unknown) => ({
  bk_watched: false,
  bk_events: [{ bk_cursor: cursor, bk_resource: resource, bk_event_type: '', bk_detail: null }],
})

/** Everything after the cursor, page by page, until nothing is left. */
async function drain(resource: string, cursor: string, body: object = {}): Promise<WatchData['bk_events']> {
  const found: WatchData['bk_events'][number][] = []
  for (let at = cursor; ; ) {
    const data = await quick.ok<WatchData>(`/event/watch/resource/${resource}`, { ...body, bk_cursor: at })
    if (!data.bk_watched) return found
    found.push(...data.bk_events)
    at = lastCursor(data)
  }
}

describe('from now', () => {
  test('event/watch/resource/{resource}: 0 the newest event, whole', async () => {
    await createPods(newPod('a'), newPod('b'))
    await settled()
    const data = await watch('kube_pod')
    expect(data.bk_watched).toBe(true)
    expect(data.bk_events).toHaveLength(1)
    expect(data.bk_events[0]).toMatchObject({
      bk_resource: 'kube_pod',
      bk_event_type: 'create',
      bk_cursor: expect.stringMatching(/^[A-Za-z0-9+/]+=*$/),
      bk_detail: { id: 2, name: 'b', bk_biz_id: 1, containers: [{ name: 'main', container_uid: 'b-uid' }] },
    })
  })

  test('the no-event cursor when there is none, or when the newest is of another type or kind', async () => {
    expect(await watch('kube_pod')).toEqual(nothing('kube_pod', noEventCursor))
    expect(await watch('kube_node', { bk_event_types: ['delete'] })).toEqual(nothing('kube_node', noEventCursor))
    const jobs = { bk_filter: { bk_sub_resource: 'job' } }
    expect(await watch('kube_workload', jobs)).toEqual(nothing('kube_workload', noEventCursor))
  })

  test.each(['host_relation', 'set', 'module', 'project'])('nothing ever happens to %s', async (resource) => {
    expect(await watch(resource, { bk_fields: ['id'] })).toEqual(nothing(resource, noEventCursor))
  })
})

describe('with a cursor', () => {
  test('the no-event cursor means the oldest event that is kept, and details are whole rows', async () => {
    const clusters = await watch('kube_cluster', { bk_cursor: noEventCursor })
    expect(clusters).toMatchObject({ bk_watched: true, bk_events: [{ bk_event_type: 'create' }] })
    expect(details(clusters)).toMatchObject([{ id: 1, bk_biz_id: 1, uid: 'cluster-1', type: 'INDEPENDENT_CLUSTER' }])
    const nodes = await watch('kube_node', { bk_cursor: noEventCursor })
    expect(details(nodes).map((node) => node.name)).toEqual(['node1', 'node2'])
    const namespaces = await watch('kube_namespace', { bk_cursor: noEventCursor })
    expect(details(namespaces)).toMatchObject([{ name: 'default', cluster_uid: 'cluster-1' }])
  })

  test('continues after its event, oldest first, each event once', async () => {
    const { ids } = await createPods(...Array.from({ length: 5 }, (_, i) => newPod(`p${i}`)))
    await settled()
    const first = await watch('kube_pod', { bk_cursor: noEventCursor })
    expect(details(first).map((pod) => pod.id)).toEqual(ids)
    await deletePods(...ids.slice(0, 2))
    const second = await watch('kube_pod', { bk_cursor: first.bk_events[1]?.bk_cursor })
    await settled()
    const all = await drain('kube_pod', first.bk_events[1]?.bk_cursor as string)
    expect(all.slice(0, second.bk_events.length)).toEqual(second.bk_events)
    expect(all.map((event) => [event.bk_event_type, event.bk_detail?.id])).toEqual([
      ['create', ids[2]],
      ['create', ids[3]],
      ['create', ids[4]],
      ['delete', ids[0]],
      ['delete', ids[1]],
    ])
    // A deleted row as it was, its containers with it.
    expect(all[3]?.bk_detail).toMatchObject({ name: 'p0', containers: [{ container_uid: 'p0-uid' }] })
  })

  test('waits for what comes', async () => {
    const start = lastCursor(await watch('kube_node', { bk_cursor: noEventCursor }))
    const waiting = watch('kube_node', { bk_cursor: start })
    // Makes node 1 carry a pod: an update of the node.
    await createPods(newPod('a'))
    const data = await waiting
    expect(types(data)).toEqual(['update'])
    expect(details(data)).toMatchObject([{ name: 'node1', has_pod: true }])
  })

  test('gives up with the place to go on from, past what did not match', async () => {
    const body = { bk_cursor: noEventCursor, bk_event_types: ['delete'] }
    const data = await quick.ok<WatchData>('/event/watch/resource/kube_pod', body)
    expect(data).toEqual(nothing('kube_pod', expect.any(String)))
    expect(lastCursor(data)).not.toBe(noEventCursor)
    const waiting = watch('kube_pod', { ...body, bk_cursor: lastCursor(data) })
    const { ids } = await createPods(newPod('a'))
    await deletePods(...ids)
    expect(types(await waiting)).toEqual(['delete'])
  })

  test('gives the caller its own cursor back while the log is empty', async () => {
    await t.db.query('truncate event')
    const fresh = startEventLog(t.db, 'fresh')
    const empty = await inventoryClient(watches(fresh.log, 200))
    const asked = { bk_cursor: noEventCursor }
    expect(await empty.ok('/event/watch/resource/kube_pod', asked)).toEqual(nothing('kube_pod', noEventCursor))
    await empty.app.close()
    await fresh.stop()
    expect(await quick.ok('/event/watch/resource/kube_pod')).toEqual(nothing('kube_pod', noEventCursor))
  })

  test('200 events at most, and the next call goes on', async () => {
    const pods = Array.from({ length: 200 }, (_, i) => newPod(`p${i}`))
    await createPods(...pods)
    await createPods(...pods.map((pod) => ({ ...pod, name: `${pod.name}-b` })))
    await settled()
    const first = await watch('kube_pod', { bk_cursor: noEventCursor, bk_fields: ['id'] })
    expect(first.bk_events).toHaveLength(200)
    const second = await watch('kube_pod', { bk_cursor: lastCursor(first), bk_fields: ['id'] })
    expect([...details(first), ...details(second)]).toEqual(Array.from({ length: 400 }, (_, i) => ({ id: i + 1 })))
  })

  test('survives another process and a restart: the cursor is all that is kept', async () => {
    const { ids } = await createPods(newPod('a'), newPod('b'))
    await settled()
    const cursor = (await watch('kube_pod', { bk_cursor: noEventCursor })).bk_events[0]?.bk_cursor
    const other = startEventLog(t.db, 'other')
    const client = await inventoryClient(watches(other.log, 60_000))
    const data = await client.ok<WatchData>('/event/watch/resource/kube_pod', { bk_cursor: cursor })
    expect(details(data).map((pod) => pod.id)).toEqual([ids[1]])
    await client.app.close()
    await other.stop()
  })

  test('a wait ends when its caller is gone, and when the process stops', async () => {
    const other = startEventLog(t.db, 'other')
    const client = await inventoryClient(watches(other.log, 600_000))
    const cursor = lastCursor(await watch('kube_cluster'))
    const url = await client.app.listen({ host: '127.0.0.1', port: 0 })
    const leave = new AbortController()
    const request = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ bk_cursor: cursor }),
    }
    const left = fetch(`${url}/api/v3/event/watch/resource/kube_cluster`, { ...request, signal: leave.signal })
    const stays = fetch(`${url}/api/v3/event/watch/resource/kube_cluster`, request)
    leave.abort()
    await expect(left).rejects.toThrow()
    await other.stop()
    expect(await (await stays).json()).toMatchObject({ result: true, data: { bk_watched: false } })
    await client.app.close()
  })

  test('event/watch/resource/{resource}: 1103007 a cursor that is none, of another resource, from the future, or whose successors are swept', async () => {
    const place = { seq: 1, type: 'create', at: new Date(), key: '' } as const
    const gone = [1103007, 'Event chain node not exist']
    const cursor = lastCursor(await watch('kube_cluster'))
    for (const bad of ['x', '*', Buffer.from('1\r21\rabc').toString('base64'), cursor])
      expect(await refused('kube_pod', { bk_cursor: bad })).toEqual(gone)
    const future = encodeCursor('kube_pod', { ...place, seq: 2 ** 52 })
    expect(await refused('kube_pod', { bk_cursor: future })).toEqual(gone)
    expect(await refused('kube_cluster', { bk_cursor: `${cursor}=` })).toEqual(gone)
    const unpadded = encodeCursor('kube_cluster', { ...place, at: new Date('2026-01-01T00:00:00.073Z') })
    expect(unpadded.endsWith('=')).toBe(false)
    expect(await refused('kube_cluster', { bk_cursor: `${unpadded}=` })).toEqual(gone)
    await createPods(newPod('a'))
    await t.db.query('delete from event where seq < (select max(seq) from event)')
    expect(await refused('kube_cluster', { bk_cursor: cursor })).toEqual(gone)
  })
})

describe('from a time', () => {
  test('up to 201 events from the first later than that second', async () => {
    const pods = Array.from({ length: 200 }, (_, i) => newPod(`p${i}`))
    await createPods(...pods)
    await createPods(...pods.map((pod) => ({ ...pod, name: `${pod.name}-b` })))
    await t.db.query(`update event set at = at - interval '1 hour' where resource = 'kube_pod' and object_id <= 100`)
    await settled()
    const seconds = Math.floor(now / 1000) - 60
    const data = await watch('kube_pod', { bk_start_from: seconds, bk_fields: ['id'] })
    expect(details(data)).toEqual(Array.from({ length: 201 }, (_, i) => ({ id: i + 101 })))
    const rest = await drain('kube_pod', lastCursor(data), { bk_fields: ['id'] })
    expect(rest.map((event) => event.bk_detail?.id)).toEqual(Array.from({ length: 99 }, (_, i) => i + 302))
  })

  test('the newest event when nothing is later, and a place to go on from when nothing matches', async () => {
    await createPods(newPod('a'))
    await settled()
    await t.db.query(`update event set at = at - interval '1 hour'`)
    const later = Math.floor(now / 1000) - 60
    const earlier = later - 7200
    expect(details(await watch('kube_pod', { bk_start_from: later }))).toMatchObject([{ name: 'a' }])
    const deletes = { bk_event_types: ['delete'] }
    expect(await watch('kube_pod', { bk_start_from: later, ...deletes })).toEqual(nothing('kube_pod', noEventCursor))
    const place = await watch('kube_pod', { bk_start_from: earlier, ...deletes })
    expect(place).toEqual(nothing('kube_pod', expect.any(String)))
    expect(lastCursor(place)).not.toBe(noEventCursor)
    expect(await drain('kube_pod', lastCursor(place))).toEqual([])
  })

  test('event/watch/resource/{resource}: 1199006 a time in the future or before what is kept', async () => {
    const wrong = [1199006, "'bk_start_from' data parameter verification does not pass"]
    const seconds = Math.floor(now / 1000)
    for (const bk_start_from of [seconds + 60, seconds - 8 * 86_400, -1])
      expect(await refused('kube_pod', { bk_start_from })).toEqual(wrong)
  })
})

describe('what is told', () => {
  test('bk_fields cuts the detail, and the types choose', async () => {
    const { ids } = await createPods(newPod('a', { labels: { 'app.kubernetes.io/name': 'web' } }))
    await deletePods(...ids)
    await settled()
    const bk_fields = ['name', 'labels', 'unknown']
    const data = await watch('kube_pod', { bk_cursor: noEventCursor, bk_event_types: ['delete'], bk_fields })
    expect(data.bk_events.map((event) => event.bk_detail)).toEqual([
      { name: 'a', labels: { 'app.kubernetes.io/name': 'web' } },
    ])
  })

  test('a sub resource is a kind of workload, which the detail does not name', async () => {
    const more = (kind: string, name: string, extra: object = {}) =>
      api.ok(`/createmany/kube/workload/${kind}`, { bk_biz_id: 1, data: [{ bk_namespace_id: 1, name, ...extra }] })
    await more('job', 'nightly')
    await more('customResource', 'training', { cr_kind: 'TFJob', cr_api_version: 'v1' })
    await settled()
    const all = await watch('kube_workload', { bk_cursor: noEventCursor })
    expect(details(all).map((row) => row.name)).toEqual(['web', 'nightly', 'training'])
    expect(details(all)[1]).not.toHaveProperty('kind')
    const jobs = { bk_cursor: noEventCursor, bk_filter: { bk_sub_resource: 'job' } }
    expect(details(await watch('kube_workload', jobs)).map((row) => row.name)).toEqual(['nightly'])
  })

  test('businesses and hosts, with the fields that must be named', async () => {
    await api.ok('/biz/0', { bk_biz_name: 'shop', bk_biz_maintainer: 'ann' })
    await api.ok('/biz/0/1', { bk_biz_maintainer: 'bob' }, { method: 'PUT' })
    await t.db.query('alter sequence host_id_seq restart with 10')
    await api.ok('/hosts/add', { bk_biz_id: 1, host_info: { '0': { bk_host_innerip: '10.9.0.1', bk_cloud_id: 0 } } })
    await settled()
    const fields = ['bk_biz_id', 'bk_biz_name', 'bk_biz_maintainer', 'bk_host_innerip']
    const businesses = await watch('biz', { bk_cursor: noEventCursor, bk_fields: fields })
    expect(businesses.bk_events.map((event) => [event.bk_event_type, event.bk_detail])).toEqual([
      ['create', { bk_biz_id: 1, bk_biz_name: 'shop', bk_biz_maintainer: 'ann' }],
      ['update', { bk_biz_id: 1, bk_biz_name: 'shop', bk_biz_maintainer: 'bob' }],
    ])
    const hosts = await watch('host', { bk_cursor: noEventCursor, bk_fields: fields })
    expect(details(hosts)).toMatchObject([{ bk_host_innerip: '10.9.0.1' }])
  })

  test('a tenant sees account 0 and its own', async () => {
    const own = { headers: { 'x-bkcmdb-supplier-account': 'tenant' } }
    const cluster = { bk_biz_id: 1, name: 'theirs', uid: 'theirs', type: 'INDEPENDENT_CLUSTER' }
    await api.ok('/create/kube/cluster', cluster, own)
    await settled()
    const url = '/event/watch/resource/kube_cluster'
    const seen = await api.ok<WatchData>(url, { bk_cursor: noEventCursor }, own)
    expect(details(seen).map((row) => row.name)).toEqual(['c1', 'theirs'])
    expect(details(await watch('kube_cluster', { bk_cursor: noEventCursor })).map((row) => row.name)).toEqual(['c1'])
    expect(details(await watch('kube_cluster'))).toMatchObject([{ name: 'c1' }])
  })
})

describe('refusals', () => {
  test.each([
    [1199006, 'kube_container', {}, "'bk_resource' data parameter verification does not pass"],
    [1199998, 'kube_pod', { bk_event_types: ['create', 'read'] }, 'unsupported event type'],
    [1199998, 'host', {}, 'host event must have fields'],
    [1199998, 'biz', { bk_fields: [] }, 'biz event must have fields'],
    [
      1199998,
      'kube_pod',
      { bk_start_from: 1, bk_cursor: noEventCursor },
      'bk_start_from and bk_cursor can not use at the same time',
    ],
    [1199998, 'kube_pod', { bk_filter: { bk_sub_resource: 'job' } }, 'kube_pod event cannot have sub resource'],
  ])('event/watch/resource/{resource}: %i for %s %j', async (code, resource, body, message) => {
    expect(await refused(resource, body)).toEqual([code, message])
  })

  test('event/watch/resource/{resource}: 1199000 a member of another type', async () => {
    expect(await refused('kube_pod', { bk_cursor: 5 })).toEqual([1199000, 'Deserializing JSON data failed'])
  })

  test('a refusal takes its time, so that a client in a loop does not storm', async () => {
    const slow = await inventoryClient(
      watchOperations({ log: events.log, now: () => now, retentionDays: 7, waitMs: 20, refusalMs: 300 }),
    )
    const start = performance.now()
    await slow.refused('/event/watch/resource/kube_pod', { bk_cursor: 'x' })
    expect(performance.now() - start).toBeGreaterThan(290)
    await slow.app.close()
  })
})

test('every path style serves it; through ESB the body names the resource', async () => {
  const cursor = { bk_cursor: noEventCursor }
  const expected = await watch('kube_cluster', cursor)
  for (const root of ['/api/v3', '/topo/v3', '/host/v3', '/prod/api/v3', '/api/bk-cmdb/prod/api/v3']) {
    const answer = await api.app.inject({
      method: 'POST',
      url: `${root}/event/watch/resource/kube_cluster`,
      headers: { host: '127.0.0.1:8080' },
      payload: { ...cursor, bk_resource: 'kube_pod' },
    })
    expect(answer.json(), root).toMatchObject({ code: 0, data: expected })
  }
  for (const path of ['resource_watch/', 'resource_watch']) {
    const answer = await api.app.inject({
      method: 'POST',
      url: `/api/c/compapi/v2/cc/${path}`,
      headers: { host: '127.0.0.1:8080' },
      payload: { ...cursor, bk_resource: 'kube_cluster', bk_app_code: 'app', bk_username: 'ann' },
    })
    expect(answer.json(), path).toMatchObject({ code: 0, data: expected })
  }
})

test('many writers and two watchers: no event lost or repeated, in one order', async () => {
  const start = lastCursor(await watch('kube_node'))
  const rounds = 12
  const made: number[] = []
  const write = async (writer: number) => {
    for (let round = 0; round < rounds; round += 1) {
      const { ids } = await createPods(newPod(`w${writer}-${round}`))
      made.push(...ids)
      if (round % 3 === 0) await deletePods(...ids)
    }
  }
  const follow = async () => {
    const seen: [string, number][] = []
    const expected = 4 * (rounds + rounds / 3)
    for (let cursor = encodeNone(); seen.length < expected; ) {
      const data = await watch('kube_pod', { bk_cursor: cursor })
      if (data.bk_watched)
        seen.push(...data.bk_events.map((e): [string, number] => [e.bk_event_type, Number(e.bk_detail?.id)]))
      cursor = lastCursor(data)
    }
    return seen
  }
  const encodeNone = () => noEventCursor
  const watching = [follow(), follow()]
  await Promise.all([0, 1, 2, 3].map(write))
  const [one, two] = (await Promise.all(watching)) as [[string, number][], [string, number][]]
  expect(one).toEqual(two)
  expect(
    one
      .filter(([type]) => type === 'create')
      .map(([, id]) => id)
      .toSorted((a, b) => a - b),
  ).toEqual(made.toSorted((a, b) => a - b))
  for (const [index, [type, id]] of one.entries())
    if (type === 'delete') expect(one.findIndex(([t, i]) => t === 'create' && i === id)).toBeLessThan(index)
  expect(await drain('kube_node', start)).not.toHaveLength(0)
})
