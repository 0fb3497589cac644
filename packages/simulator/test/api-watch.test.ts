import { expect, test } from 'vitest'
import { configMap, configMaps, startApi } from './api-client.ts'

const merge = { 'content-type': 'application/merge-patch+json' }

test('a watch resumes exactly after the version that it is given', async () => {
  const { call, watch } = await startApi()
  const first = await call('POST', configMaps, configMap('a'))
  await call('POST', configMaps, configMap('b'))
  await call('PATCH', `${configMaps}/a`, { data: { x: '1' } }, merge)
  await call('DELETE', `${configMaps}/b`)
  const stream = await watch(`${configMaps}?watch=1&resourceVersion=${first.body.metadata.resourceVersion}`)
  expect(await stream.names(3)).toEqual(['ADDED b', 'MODIFIED a', 'DELETED b'])
  await call('POST', configMaps, configMap('c'))
  expect(await stream.names(1)).toEqual(['ADDED c'])
})

test('the last event of an object carries the version of its deletion', async () => {
  const { call, watch, simulator } = await startApi()
  const created = await call('POST', configMaps, configMap('a'))
  const stream = await watch(`${configMaps}?watch=1&resourceVersion=${created.body.metadata.resourceVersion}`)
  await call('DELETE', `${configMaps}/a`)
  const line = await stream.next()
  expect(line?.type).toBe('DELETED')
  expect(line?.object.metadata.resourceVersion).toBe(String(simulator.store.revision))
  expect(Number(line?.object.metadata.resourceVersion)).toBeGreaterThan(Number(created.body.metadata.resourceVersion))
})

test('without a version a watch begins with the present objects', async () => {
  const { call, watch } = await startApi()
  await call('POST', configMaps, configMap('b'))
  await call('POST', configMaps, configMap('a'))
  const stream = await watch(`${configMaps}?watch=true`)
  expect(await stream.names(2)).toEqual(['ADDED a', 'ADDED b'])
  await call('POST', configMaps, configMap('c'))
  expect(await stream.names(1)).toEqual(['ADDED c'])
})

test('a version whose history is gone is answered with an error event', async () => {
  const { call, watch, simulator } = await startApi()
  const created = await call('POST', configMaps, configMap('a'))
  const version = created.body.metadata.resourceVersion
  await call('POST', configMaps, configMap('b'))
  simulator.store.compact()
  const stream = await watch(`${configMaps}?watch=1&resourceVersion=${version}`)
  const line = await stream.next()
  expect(line).toMatchObject({
    type: 'ERROR',
    object: {
      kind: 'Status',
      status: 'Failure',
      message: `too old resource version: ${version} (${simulator.store.revision})`,
      reason: 'Expired',
      code: 410,
    },
  })
  expect(await stream.next()).toBeUndefined()
})

test('the ring of events has a size', async () => {
  const { call, watch, simulator } = await startApi({ eventRing: 3 })
  const before = simulator.store.revision
  for (const name of ['a', 'b', 'c', 'd']) await call('POST', configMaps, configMap(name))
  const late = await watch(`${configMaps}?watch=1&resourceVersion=${before}`)
  expect((await late.next())?.type).toBe('ERROR')
  const inTime = await watch(`${configMaps}?watch=1&resourceVersion=${before + 1}`)
  expect(await inTime.names(3)).toEqual(['ADDED b', 'ADDED c', 'ADDED d'])
})

test('an object that moves into a selection is added, one that leaves it deleted', async () => {
  const { call, watch, simulator } = await startApi()
  const stream = await watch(
    `${configMaps}?watch=1&resourceVersion=${simulator.store.revision}&labelSelector=${encodeURIComponent('k in (1,3)')}`,
  )
  await call('POST', configMaps, configMap('a', { labels: { k: '0' } }))
  await call('PATCH', `${configMaps}/a`, { metadata: { labels: { k: '1' } } }, merge)
  await call('PATCH', `${configMaps}/a`, { data: { x: '1' } }, merge)
  const left = await call('PATCH', `${configMaps}/a`, { data: { y: '1' }, metadata: { labels: { k: '2' } } }, merge)
  await call('PATCH', `${configMaps}/a`, { metadata: { labels: { k: '3' } } }, merge)
  await call('DELETE', `${configMaps}/a`)
  expect(await stream.names(2)).toEqual(['ADDED a', 'MODIFIED a'])
  // As it was while it was selected, at the version at which it left.
  expect(await stream.next()).toMatchObject({
    type: 'DELETED',
    object: {
      metadata: { labels: { k: '1' }, resourceVersion: left.body.metadata.resourceVersion },
      data: { x: '1' },
    },
  })
  expect(await stream.names(2)).toEqual(['ADDED a', 'DELETED a'])
})

test('a resumed watch applies its selector to the past as well', async () => {
  const { call, watch, simulator } = await startApi()
  const before = simulator.store.revision
  await call('POST', configMaps, configMap('a', { labels: { k: '1' } }))
  await call('PATCH', `${configMaps}/a`, { metadata: { labels: { k: null } } }, merge)
  await call('POST', configMaps, configMap('b'))
  await call('POST', configMaps, configMap('c', { labels: { k: '1' } }))
  const stream = await watch(`${configMaps}?watch=1&resourceVersion=${before}&labelSelector=k`)
  expect(await stream.names(3)).toEqual(['ADDED a', 'DELETED a', 'ADDED c'])
})

test('a field selector on the name watches one object', async () => {
  const { call, watch, simulator } = await startApi()
  const stream = await watch(
    `/api/v1/configmaps?watch=1&resourceVersion=${simulator.store.revision}&fieldSelector=metadata.name=b`,
  )
  for (const name of ['a', 'b', 'c']) await call('POST', configMaps, configMap(name))
  await call('DELETE', `${configMaps}/b`)
  expect(await stream.names(2)).toEqual(['ADDED b', 'DELETED b'])
})

test('bookmarks come in between and at the end, with the newest version', async () => {
  const { call, watch, simulator } = await startApi({ bookmarkIntervalMs: 50 })
  const version = simulator.store.revision
  const stream = await watch(
    `${configMaps}?watch=1&resourceVersion=${version}&allowWatchBookmarks=true&timeoutSeconds=1`,
  )
  const first = await stream.next()
  expect(first).toEqual({
    type: 'BOOKMARK',
    object: { kind: 'ConfigMap', apiVersion: 'v1', metadata: { resourceVersion: String(version) } },
  })
  // Another kind moves the version on; the bookmark tells.
  const other = await call('POST', '/api/v1/namespaces', { metadata: { name: 'other' } })
  let last: string | undefined
  for (let line = await stream.next(); line !== undefined; line = await stream.next()) {
    expect(line.type).toBe('BOOKMARK')
    last = line.object.metadata.resourceVersion
  }
  expect(last).toBe(other.body.metadata.resourceVersion)
})

test('initial events end with an annotated bookmark', async () => {
  const { call, watch } = await startApi()
  await call('POST', configMaps, configMap('a'))
  const stream = await watch(
    `${configMaps}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
  )
  expect(await stream.names(1)).toEqual(['ADDED a'])
  expect(await stream.next()).toMatchObject({
    type: 'BOOKMARK',
    object: { metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
  })
})

test('a dropped watch breaks off, and its client resumes', async () => {
  const { call, watch, simulator } = await startApi()
  const stream = await watch(`${configMaps}?watch=1&resourceVersion=${simulator.store.revision}`)
  const created = await call('POST', configMaps, configMap('a'))
  expect(await stream.names(1)).toEqual(['ADDED a'])
  simulator.dropWatches('configmaps')
  await expect(stream.next()).rejects.toThrow()
  await call('POST', configMaps, configMap('b'))
  const again = await watch(`${configMaps}?watch=1&resourceVersion=${created.body.metadata.resourceVersion}`)
  expect(await again.names(1)).toEqual(['ADDED b'])
})

test('a watcher that does not read is closed', async () => {
  const { call, watch, simulator } = await startApi({ slowWatcherBytes: 1024 * 1024 })
  const stream = await watch(`${configMaps}?watch=1&resourceVersion=${simulator.store.revision}`)
  const data = { text: 'x'.repeat(900_000) }
  // The kernel's buffers and the client's take some; what is beyond them counts.
  for (let i = 0; i < 40; i += 1) await call('POST', configMaps, configMap(`big-${i}`, { data }))
  let seen = 0
  await expect(
    (async () => {
      while ((await stream.next()) !== undefined) seen += 1
      return 'ended in order'
    })(),
  ).rejects.toThrow()
  expect(seen).toBeLessThan(40)
})

test('broken watch options are refused in the words of the real server', async () => {
  const { call } = await startApi()
  const bad = await call('GET', `${configMaps}?watch=1&resourceVersion=abc`)
  expect(bad.status).toBe(500)
  expect(bad.body.message).toBe(
    'resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax',
  )
  const initial = await call('GET', `${configMaps}?watch=1&sendInitialEvents=true&allowWatchBookmarks=true`)
  expect(initial.status).toBe(422)
  expect(initial.body.message).toBe(
    'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
  )
})
