import { expect, test } from 'vitest'
import { type Answer, type Body, configMap, configMaps, pod, pods, startApi } from './api-client.ts'

const merge = { 'content-type': 'application/merge-patch+json' }
const outcome = ({ status, body }: Answer) => [status, body.reason, body.message]
const binding = { metadata: {}, target: { kind: 'Node', name: 'node-1' } }

test('an object goes at once and the answer names its uid', async () => {
  const { call } = await startApi()
  const { body } = await call('POST', configMaps, configMap('a'))
  const deleted = await call('DELETE', `${configMaps}/a`)
  expect([deleted.status, deleted.body]).toEqual([
    200,
    {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Success',
      details: { name: 'a', kind: 'configmaps', uid: body.metadata.uid },
    },
  ])
  expect(outcome(await call('DELETE', `${configMaps}/a`))).toEqual([404, 'NotFound', 'configmaps "a" not found'])
})

test('preconditions protect the object that replaced the one that was meant', async () => {
  const { call } = await startApi()
  const { body } = await call('POST', configMaps, configMap('a'))
  const { uid, resourceVersion } = body.metadata
  expect(outcome(await call('DELETE', `${configMaps}/a`, { preconditions: { uid: 'zz' } }))).toEqual([
    409,
    'Conflict',
    `Operation cannot be fulfilled on ConfigMap "a": the UID in the precondition (zz) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
  ])
  expect(outcome(await call('DELETE', `${configMaps}/a`, { preconditions: { resourceVersion: '1' } }))).toEqual([
    409,
    'Conflict',
    `Operation cannot be fulfilled on ConfigMap "a": the ResourceVersion in the precondition (1) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`,
  ])
  expect((await call('DELETE', `${configMaps}/a`, { preconditions: { uid, resourceVersion } })).status).toBe(200)
  const path = '/apis/apps/v1/namespaces/default/deployments/demo'
  expect((await call('DELETE', path, { preconditions: { uid: 'zz' } })).body.message).toMatch(
    /^Operation cannot be fulfilled on Deployment\.apps "demo": the UID/,
  )
})

test('options that cannot be', async () => {
  const { call } = await startApi()
  await call('POST', configMaps, configMap('a'))
  const cases: readonly (readonly [unknown, string])[] = [
    [
      { propagationPolicy: 'Zap' },
      'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "Zap": supported values: "Foreground", "Background", "Orphan", "nil"',
    ],
    [
      { orphanDependents: true, propagationPolicy: 'Orphan' },
      'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Invalid value: "Orphan": orphanDependents and deletionPropagation cannot be both set',
    ],
    [
      { dryRun: ['x'] },
      'DeleteOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["x"]: supported values: "All"',
    ],
    [
      { gracePeriodSeconds: 'x' },
      'json: cannot unmarshal string into Go struct field DeleteOptions.gracePeriodSeconds of type int64',
    ],
    ['{', "couldn't get version/kind; json parse error: unexpected end of JSON input"],
    [
      { kind: 'Pod', apiVersion: 'v1' },
      'no kind "Pod" is registered for version "v1" in scheme "pkg/runtime/scheme.go:111"',
    ],
  ]
  for (const [body, message] of cases) {
    expect((await call('DELETE', `${configMaps}/a`, body)).body.message, JSON.stringify(body)).toBe(message)
  }
  expect((await call('DELETE', `${configMaps}/a?gracePeriodSeconds=x`)).body.message).toBe(
    'strconv.ParseInt: parsing "x": invalid syntax',
  )
  expect((await call('GET', `${configMaps}/a`)).status).toBe(200)
})

test('finalizers hold an object until the last one goes', async () => {
  const { call, watch } = await startApi()
  const created = await call('POST', configMaps, { metadata: { name: 'a', finalizers: ['a.b/c'] } })
  const stream = await watch(`${configMaps}?watch=1&resourceVersion=${created.body.metadata.resourceVersion}`)
  const deleted = await call('DELETE', `${configMaps}/a`)
  expect(deleted.body.metadata).toMatchObject({ deletionGracePeriodSeconds: 0, finalizers: ['a.b/c'] })
  expect(deleted.body.metadata.deletionTimestamp).toBeDefined()
  const again = await call('DELETE', `${configMaps}/a`)
  expect(again.body.metadata.resourceVersion).toBe(deleted.body.metadata.resourceVersion)
  const added = await call('PATCH', `${configMaps}/a`, { metadata: { finalizers: ['a.b/c', 'z.z/z'] } }, merge)
  expect(added.body.message).toBe(
    'ConfigMap "a" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"z.z/z"}',
  )
  expect((await call('PATCH', `${configMaps}/a`, { metadata: { finalizers: null } }, merge)).status).toBe(200)
  expect((await call('GET', `${configMaps}/a`)).status).toBe(404)
  expect(await stream.names(2)).toEqual(['MODIFIED a', 'DELETED a'])
})

test('propagation becomes a finalizer that the garbage collector takes away', async () => {
  const { call } = await startApi()
  const finalizers = async (policy: string) => {
    await call('POST', configMaps, configMap(policy.toLowerCase()))
    const { body } = await call('DELETE', `${configMaps}/${policy.toLowerCase()}?propagationPolicy=${policy}`)
    return body.metadata.finalizers
  }
  expect(await finalizers('Foreground')).toEqual(['foregroundDeletion'])
  expect(await finalizers('Orphan')).toEqual(['orphan'])
  expect(await finalizers('Background')).toBeUndefined()
  const turned = await call('DELETE', `${configMaps}/foreground`, { propagationPolicy: 'Background' })
  expect(turned.status).toBe(200)
  expect((await call('GET', `${configMaps}/foreground`)).status).toBe(404)
})

test('a pod on a node is left to its kubelet for its grace period', async () => {
  const { call } = await startApi()
  await call('POST', pods, pod('a'))
  await call('POST', `${pods}/a/binding`, binding)
  const first = await call('DELETE', `${pods}/a`)
  expect(first.body).toMatchObject({ kind: 'Pod', metadata: { deletionGracePeriodSeconds: 30, generation: 2 } })
  const end = (body: Body) => Date.parse(body.metadata.deletionTimestamp as string)
  const longer = await call('DELETE', `${pods}/a`, { gracePeriodSeconds: 60 })
  expect(longer.body.metadata.resourceVersion).toBe(first.body.metadata.resourceVersion)
  const shorter = await call('DELETE', `${pods}/a`, { gracePeriodSeconds: 5 })
  expect(shorter.body.metadata.deletionGracePeriodSeconds).toBe(5)
  expect(end(first.body) - end(shorter.body)).toBe(25_000)
  const now = await call('DELETE', `${pods}/a?gracePeriodSeconds=0`)
  expect(now.body).toMatchObject({ kind: 'Pod', metadata: { deletionGracePeriodSeconds: 0 } })
  expect((await call('GET', `${pods}/a`)).status).toBe(404)
})

test('a pod without a node, and one that has ended, go at once', async () => {
  const { call } = await startApi()
  await call('POST', pods, pod('unscheduled'))
  await call('POST', pods, pod('ended'))
  await call('POST', `${pods}/ended/binding`, binding)
  await call('PATCH', `${pods}/ended/status`, { status: { phase: 'Failed' } }, merge)
  for (const name of ['unscheduled', 'ended']) {
    const { body } = await call('DELETE', `${pods}/${name}`)
    expect(body).toMatchObject({ kind: 'Pod', metadata: { name, deletionGracePeriodSeconds: 0, generation: 2 } })
    expect((await call('GET', `${pods}/${name}`)).status).toBe(404)
  }
})

test('a collection is deleted by selector', async () => {
  const { call } = await startApi()
  for (const name of ['a', 'b', 'c'])
    await call('POST', configMaps, configMap(name, { labels: { odd: String(name !== 'b') } }))
  const { body } = await call('DELETE', `${configMaps}?labelSelector=odd=true`)
  expect(body.kind).toBe('ConfigMapList')
  expect(body.items.map(({ metadata }) => metadata.name)).toEqual(['a', 'c'])
  expect((await call('GET', configMaps)).body.items.map(({ metadata }) => metadata.name)).toEqual(['b'])
})

test('a namespace terminates and takes no new objects', async () => {
  const { call } = await startApi()
  await call('POST', '/api/v1/namespaces', { metadata: { name: 'gone' } })
  const { body } = await call('DELETE', '/api/v1/namespaces/gone')
  expect(body).toMatchObject({ kind: 'Namespace', status: { phase: 'Terminating' } })
  const refused = await call('POST', '/api/v1/namespaces/gone/configmaps', configMap('late'))
  expect(outcome(refused)).toEqual([
    403,
    'Forbidden',
    'configmaps "late" is forbidden: unable to create new content in namespace gone because it is being terminated',
  ])
  expect(refused.body.details).toMatchObject({
    causes: [
      { reason: 'NamespaceTerminating', message: 'namespace gone is being terminated', field: 'metadata.namespace' },
    ],
  })
  expect((await call('DELETE', '/api/v1/namespaces/default')).status).toBe(403)
})
