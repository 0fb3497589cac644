import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryStore } from './object-store.ts'
import type { NewObject, StoredObject, StoreEvent } from './types.ts'

const pod = (name: string, more: object = {}, namespace = 'default'): NewObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, ...more },
  spec: { containers: [] },
})

const names = (objects: Iterable<StoredObject>) => [...objects].map(({ metadata }) => metadata.name)
const key = (name: string) => ({ namespace: 'default', name })

test('one counter gives versions over all kinds', () => {
  const store = new MemoryStore()
  expect(store.create('pods', pod('a')).metadata.resourceVersion).toBe('1')
  expect(
    store.create('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } }).metadata,
  ).toMatchObject({ resourceVersion: '2' })
  store.remove('pods', key('a'))
  expect(store.revision).toBe(3)
})

test('lists are in the order of etcd keys', () => {
  const store = new MemoryStore()
  for (const [namespace, name] of [
    ['b', 'x'],
    ['a', 'z'],
    ['a-b', 'y'],
    ['a', 'a.b'],
    ['a', 'a-b'],
  ] as const) {
    store.create('pods', pod(name, {}, namespace))
  }
  // '-' and '.' come before '/'.
  expect(names(store.list('pods'))).toEqual(['y', 'a-b', 'a.b', 'z', 'x'])
  expect(names(store.list('pods', 'a'))).toEqual(['a-b', 'a.b', 'z'])
})

test('the generation counts changes of the specification and the deletion, not status, metadata or binding', () => {
  const store = new MemoryStore()
  store.create('pods', pod('a'))
  const generation = (change: (current: StoredObject) => NewObject) =>
    store.update('pods', key('a'), change).metadata.generation
  expect(generation((current) => ({ ...current, status: { phase: 'Running' } }))).toBe(1)
  expect(generation((current) => ({ ...current, metadata: { ...current.metadata, labels: { a: 'b' } } }))).toBe(1)
  expect(generation((current) => ({ ...current, spec: { containers: [], nodeName: 'n' } }))).toBe(1)
  expect(generation((current) => ({ ...current, spec: { containers: [], nodeName: 'n', priority: 1 } }))).toBe(2)
  const deletion = { deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 30 }
  expect(generation((current) => ({ ...current, metadata: { ...current.metadata, ...deletion } }))).toBe(3)
})

test('a change that changes nothing is no write', () => {
  const store = new MemoryStore()
  const created = store.create('pods', pod('a', { labels: { a: 'b' } }))
  const same = store.update('pods', key('a'), (current) => structuredClone(current) as NewObject)
  expect(same).toBe(created)
  expect(store.revision).toBe(1)
})

test('a writer cannot change what identifies an object', () => {
  const store = new MemoryStore()
  const created = store.create('pods', pod('a'))
  const changed = store.update('pods', key('a'), (current) => ({
    ...current,
    metadata: {
      ...current.metadata,
      name: 'b',
      uid: 'x',
      creationTimestamp: 'y',
      resourceVersion: '99',
      labels: { a: 'b' },
    },
  }))
  expect(changed.metadata).toEqual({ ...created.metadata, resourceVersion: '2', labels: { a: 'b' } })
})

test('a deleted object goes with its last finalizer; watchers see it as it was last stored', () => {
  const store = new MemoryStore()
  const events: StoreEvent[] = []
  store.subscribe('configmaps', (event) => events.push(event))
  const deletion = { deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 0 }
  store.create('configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...key('a'), finalizers: ['a.b/c'] } })
  store.update('configmaps', key('a'), (current) => ({ ...current, metadata: { ...current.metadata, ...deletion } }))
  expect(store.get('configmaps', key('a'))).toBeDefined()
  store.update('configmaps', key('a'), (current) => ({ ...current, metadata: { ...current.metadata, finalizers: [] } }))
  expect(store.get('configmaps', key('a'))).toBeUndefined()
  expect(events.map(({ type }) => type)).toEqual(['ADDED', 'MODIFIED', 'DELETED'])
  expect(events[2]?.object.metadata).toMatchObject({ resourceVersion: '3', finalizers: ['a.b/c'] })
})

test('dependents are found by their owner, over all kinds', () => {
  const store = new MemoryStore()
  const owner = (uid: string) => ({ ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid }] })
  store.create('pods', pod('a', owner('u1')))
  store.create('pods', pod('b', owner('u2')))
  store.create('replicasets', { apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { ...key('c'), ...owner('u1') } })
  const of = (uid: string) =>
    [...store.dependentsOf(uid)].map(({ plural, object }) => `${plural}/${object.metadata.name}`)
  expect(of('u1')).toEqual(['pods/a', 'replicasets/c'])
  store.update('pods', key('a'), (current) => ({ ...current, metadata: { ...current.metadata, ...owner('u2') } }))
  store.remove('replicasets', key('c'))
  expect(of('u1')).toEqual([])
  expect(of('u2')).toEqual(['pods/b', 'pods/a'])
})

test('a listener that writes is a defect', () => {
  const store = new MemoryStore()
  store.subscribe('pods', () => store.create('pods', pod('b')))
  expect(() => store.create('pods', pod('a'))).toThrow(/listener/)
})

test('refusals', () => {
  const store = new MemoryStore()
  store.create('pods', pod('a'))
  expect(() => store.create('pods', pod('a'))).toThrow('pods "a" already exists')
  expect(() => store.update('pods', key('b'), (current) => current)).toThrow('pods "b" not found')
  expect(() => store.create('pods', { ...pod('a'), metadata: { namespace: 'default' } })).toThrow(
    'Pod "" is invalid: metadata.name: Required value: name or generateName is required',
  )
})

test('property: the past is listed as it was, wherever a page starts', () => {
  const step = fc.tuple(
    fc.constantFrom('put', 'remove'),
    fc.integer({ min: 0, max: 7 }),
    fc.integer({ min: 0, max: 3 }),
  )
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 40 }),
      fc.integer({ min: 0, max: 7 }),
      fc.integer({ min: 0, max: 12 }),
      (steps, start, ring) => {
        const store = new MemoryStore({ eventRing: 12 + ring })
        const snapshots: (readonly StoredObject[])[] = [[]]
        for (const [what, number, value] of steps) {
          const name = `p${number}`
          const before = store.revision
          if (what === 'remove') store.remove('pods', key(name))
          else if (store.get('pods', key(name)) === undefined) store.create('pods', pod(name))
          else store.update('pods', key(name), (current) => ({ ...current, status: { message: String(value) } }))
          if (store.revision !== before) snapshots[store.revision] = store.list('pods')
        }
        const from = `default/p${start}`
        for (const [revision, snapshot] of snapshots.entries()) {
          const listed = store.listAt('pods', revision, 'default', from)
          if (listed === 'expired') expect(revision).toBeLessThan(store.compactedRevision('pods'))
          else expect(listed).toEqual(snapshot.filter(({ metadata }) => `default/${metadata.name}` >= from))
        }
      },
    ),
  )
})
