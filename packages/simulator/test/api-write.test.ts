import { expect, test } from 'vitest'
import { type Answer, configMap, configMaps, pod, pods, startApi } from './api-client.ts'

const merge = { 'content-type': 'application/merge-patch+json' }
const json = { 'content-type': 'application/json-patch+json' }
const conflictText = (name: string) =>
  `Operation cannot be fulfilled on configmaps "${name}": the object has been modified; please apply your changes to the latest version and try again`

const outcome = ({ status, body }: Answer) => [status, body.reason, body.message]

test('create: the server stamps what is its own', async () => {
  const { call } = await startApi()
  const { status, body } = await call('POST', configMaps, {
    metadata: { name: 'a', uid: 'mine', generation: 7, creationTimestamp: '2001-01-01T00:00:00Z', selfLink: 'x' },
    data: { x: '1' },
  })
  expect(status).toBe(201)
  expect(Object.keys(body)).toEqual(['kind', 'apiVersion', 'metadata', 'data'])
  expect(body.metadata).toEqual({
    name: 'a',
    namespace: 'default',
    uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
    resourceVersion: expect.stringMatching(/^\d+$/),
    creationTimestamp: expect.not.stringContaining('2001'),
    managedFields: [
      {
        manager: 'node',
        operation: 'Update',
        apiVersion: 'v1',
        time: expect.stringMatching(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/),
        fieldsType: 'FieldsV1',
        fieldsV1: { 'f:data': { '.': {}, 'f:x': {} } },
      },
    ],
  })
})

test('create: refusals', async () => {
  const { call } = await startApi()
  await call('POST', configMaps, configMap('a'))
  expect(outcome(await call('POST', configMaps, configMap('a')))).toEqual([
    409,
    'AlreadyExists',
    'configmaps "a" already exists',
  ])
  const elsewhere = { metadata: { name: 'b', namespace: 'other' } }
  expect(outcome(await call('POST', configMaps, elsewhere))).toEqual([
    400,
    'BadRequest',
    'the namespace of the provided object does not match the namespace sent on the request',
  ])
  expect(outcome(await call('POST', '/api/v1/namespaces/nope/configmaps', configMap('b')))).toEqual([
    404,
    'NotFound',
    'namespaces "nope" not found',
  ])
  expect(outcome(await call('POST', configMaps, { metadata: {} }))).toEqual([
    422,
    'Invalid',
    'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
  ])
  expect(outcome(await call('POST', configMaps, { metadata: { name: 'b', resourceVersion: '1' } }))).toEqual([
    500,
    undefined,
    'resourceVersion should not be set on objects to be created',
  ])
})

test('create: bodies that are no objects of the kind', async () => {
  const { call } = await startApi()
  const unrecognized = 'the object provided is unrecognized (must be of type ConfigMap): '
  const cases: readonly (readonly [string, string])[] = [
    ['{', `${unrecognized}couldn't get version/kind; json parse error: unexpected end of JSON input ({)`],
    ['', `${unrecognized}couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)`],
    [
      '[]',
      `${unrecognized}couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" } (5b5d)`,
    ],
    [
      '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"q"}} trailing',
      `${unrecognized}couldn't get version/kind; json parse error: invalid character 't' after top-level value ({"apiVersion":"v1","kind":"Pod ...)`,
    ],
    [
      '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"x"}}',
      'Deployment in version "v1" cannot be handled as a ConfigMap: converting (v1.Deployment) to (core.ConfigMap): unknown conversion',
    ],
    [
      '{"apiVersion":"v2","kind":"ConfigMap","metadata":{"name":"x"}}',
      'ConfigMap in version "v2" cannot be handled as a ConfigMap: no kind "ConfigMap" is registered for version "v2" in scheme "pkg/runtime/scheme.go:111"',
    ],
  ]
  for (const [body, message] of cases) {
    const answer = await call('POST', configMaps, body)
    expect([answer.status, answer.body.message], body).toEqual([400, message])
  }
  const type = await call('POST', configMaps, 'a: b', { 'content-type': 'text/plain' })
  expect([type.status, type.body.reason]).toEqual([415, 'UnsupportedMediaType'])
  const large = await call('POST', configMaps, JSON.stringify({ x: 'x'.repeat(3 * 1024 * 1024) }))
  expect(outcome(large)).toEqual([413, 'RequestEntityTooLarge', 'Request entity too large: limit is 3145728'])
})

test('generateName gives a name of its own to each', async () => {
  const { call } = await startApi()
  const seen = new Set<string>()
  for (let i = 0; i < 20; i += 1) {
    const { body } = await call('POST', configMaps, { metadata: { generateName: 'job-' } })
    expect(body.metadata.name).toMatch(/^job-[bcdfghjklmnpqrstvwxz2456789]{5}$/)
    seen.add(body.metadata.name)
  }
  expect(seen.size).toBe(20)
  const long = await call('POST', configMaps, { metadata: { generateName: 'a'.repeat(70) } })
  expect(long.body.metadata.name).toMatch(/^a{58}.{5}$/)
})

test('a trial run leaves nothing behind', async () => {
  const { call, simulator } = await startApi()
  await call('POST', configMaps, configMap('a'))
  const before = simulator.store.revision
  const created = await call('POST', `${configMaps}?dryRun=All`, configMap('b'))
  expect([created.status, created.body.metadata.resourceVersion]).toEqual([201, undefined])
  const patched = await call('PATCH', `${configMaps}/a?dryRun=All`, { data: { x: '1' } }, merge)
  expect([patched.status, patched.body.data]).toEqual([200, { x: '1' }])
  expect((await call('DELETE', `${configMaps}/a?dryRun=All`)).status).toBe(200)
  expect((await call('GET', `${configMaps}/a`)).body.data).toBeUndefined()
  expect(simulator.store.revision).toBe(before)
  expect((await call('POST', `${configMaps}?dryRun=All`, configMap('a'))).status).toBe(409)
  expect((await call('POST', `${configMaps}?dryRun=Some`, configMap('b'))).body.message).toBe(
    'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported values: "All"',
  )
})

test('replace: compares versions, names and uids', async () => {
  const { call } = await startApi()
  const { body } = await call('POST', configMaps, configMap('a', { data: { x: '1' } }))
  const put = (metadata: object) => call('PUT', `${configMaps}/a`, { metadata, data: { x: '2' } })
  expect(outcome(await put({ name: 'a', resourceVersion: '1' }))).toEqual([409, 'Conflict', conflictText('a')])
  expect(outcome(await put({ name: 'b' }))).toEqual([
    400,
    'BadRequest',
    'the name of the object (b) does not match the name on the URL (a)',
  ])
  expect(outcome(await put({}))).toEqual([
    400,
    'BadRequest',
    'the name of the object (a based on URL) was undeterminable: name must be provided',
  ])
  expect((await put({ name: 'a', uid: 'zzz' })).body.message).toBe(
    `Operation cannot be fulfilled on configmaps "a": StorageError: invalid object, Code: 4, Key: /registry/configmaps/default/a, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: zzz, UID in object meta: ${body.metadata.uid}`,
  )
  const { resourceVersion } = body.metadata
  const replaced = await put({ name: 'a', resourceVersion, creationTimestamp: '2001-01-01T00:00:00Z' })
  expect(replaced.body).toMatchObject({
    metadata: { uid: body.metadata.uid, creationTimestamp: body.metadata.creationTimestamp },
    data: { x: '2' },
  })
  // Two writers with the same version: the second is told.
  expect((await put({ name: 'a', resourceVersion })).status).toBe(409)
  // The same content again is no write.
  const again = await put({ name: 'a' })
  expect(again.body.metadata.resourceVersion).toBe(replaced.body.metadata.resourceVersion)
})

test('merge patch really merges', async () => {
  const { call } = await startApi()
  await call('POST', configMaps, configMap('a', { labels: { keep: '1', drop: '1' }, data: { x: '1', y: '1' } }))
  const { body } = await call(
    'PATCH',
    `${configMaps}/a`,
    { metadata: { labels: { drop: null, add: '2' } }, data: { x: null, z: '3' } },
    merge,
  )
  expect(body.metadata.labels).toEqual({ keep: '1', add: '2' })
  expect(body.data).toEqual({ y: '1', z: '3' })
  const stale = await call('PATCH', `${configMaps}/a`, { metadata: { resourceVersion: '1' }, data: { q: '1' } }, merge)
  expect(outcome(stale)).toEqual([409, 'Conflict', conflictText('a')])
  const member = await call('PATCH', `${configMaps}/a`, '{"data":{"__proto__":"x"}}', merge)
  expect(Object.getOwnPropertyNames(member.body.data)).toContain('__proto__')
})

test('patches that are no patches', async () => {
  const { call } = await startApi()
  await call('POST', configMaps, configMap('a'))
  const cases: readonly (readonly [Record<string, string>, string, number, string])[] = [
    [
      merge,
      '[]',
      400,
      'error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}',
    ],
    [merge, '{', 400, 'error decoding patch: unexpected end of JSON input'],
    [merge, 'null', 400, 'Invalid JSON Patch'],
    [merge, '{"metadata":{"name":"b"}}', 400, 'the name of the object (b) does not match the name on the URL (a)'],
    [
      json,
      '{"op":"add"}',
      400,
      'error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp',
    ],
    [json, '[{]', 400, "error decoding patch: invalid character ']' looking for beginning of object key string"],
    [json, '[{"op":"zap","path":"/data"}]', 422, 'the server rejected our request due to an error in our request'],
    [{ 'content-type': 'application/json' }, '{}', 415, '415: Unsupported Media Type'],
    [{ 'content-type': 'application/strategic-merge-patch+yaml' }, '{}', 415, '415: Unsupported Media Type'],
  ]
  for (const [headers, body, status, message] of cases) {
    const answer = await call('PATCH', `${configMaps}/a`, body, headers)
    expect([answer.status, answer.body.message], body).toEqual([status, message])
  }
  const uid = await call('PATCH', `${configMaps}/a`, { metadata: { uid: 'zz' } }, merge)
  expect(uid.body.message).toBe('ConfigMap "a" is invalid: metadata.uid: Invalid value: "zz": field is immutable')
  const missing = await call('PATCH', `${configMaps}/nope`, {}, merge)
  expect(outcome(missing)).toEqual([404, 'NotFound', 'configmaps "nope" not found'])
})

test('JSON patch: a failed test changes nothing', async () => {
  const { call } = await startApi()
  const { body } = await call('POST', configMaps, configMap('a', { data: { x: '1' } }))
  const guarded = (uid: string) => [
    { op: 'test', path: '/metadata/uid', value: uid },
    { op: 'replace', path: '/data/x', value: '2' },
  ]
  expect(outcome(await call('PATCH', `${configMaps}/a`, guarded('other'), json))).toEqual([
    422,
    'Invalid',
    'the server rejected our request due to an error in our request',
  ])
  expect((await call('GET', `${configMaps}/a`)).body.data).toEqual({ x: '1' })
  expect((await call('PATCH', `${configMaps}/a`, guarded(body.metadata.uid), json)).body.data).toEqual({ x: '2' })
})

test('the status is written apart from the rest', async () => {
  const { call } = await startApi()
  const path = '/api/v1/nodes/node-1'
  const status = { status: { phase: 'Running' }, spec: { unschedulable: true } }
  const written = await call('PATCH', `${path}/status`, status, merge)
  expect(written.body.status).toMatchObject({ phase: 'Running' })
  expect(written.body.spec).not.toHaveProperty('unschedulable')
  const main = await call('PATCH', path, { status: { phase: 'Terminated' }, spec: { unschedulable: true } }, merge)
  expect(main.body).toMatchObject({ status: { phase: 'Running' }, spec: { unschedulable: true } })
})

test('scale reads and writes replicas and raises the generation', async () => {
  const { call } = await startApi()
  const path = '/apis/apps/v1/namespaces/default/deployments/demo'
  expect((await call('GET', `${path}/scale`)).body).toMatchObject({
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    spec: { replicas: 1 },
    status: { replicas: 0, selector: 'app=demo' },
  })
  expect((await call('PATCH', `${path}/scale`, { spec: { replicas: 3 } }, merge)).body.spec).toEqual({ replicas: 3 })
  expect((await call('GET', path)).body).toMatchObject({ metadata: { generation: 2 }, spec: { replicas: 3 } })
  const negative = await call('PUT', `${path}/scale`, { metadata: { name: 'demo' }, spec: { replicas: -1 } })
  expect(outcome(negative)).toEqual([
    422,
    'Invalid',
    'Scale.autoscaling "demo" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
  ])
})

test('a pod is bound once', async () => {
  const { call } = await startApi()
  await call('POST', pods, pod('a'))
  const binding = { metadata: { name: 'a' }, target: { kind: 'Node', name: 'node-1' } }
  expect((await call('POST', `${pods}/a/binding`, binding)).status).toBe(201)
  expect((await call('GET', `${pods}/a`)).body).toMatchObject({
    metadata: { generation: 1 },
    spec: { nodeName: 'node-1' },
    status: { conditions: [{ type: 'PodScheduled', status: 'True' }] },
  })
  expect((await call('POST', `${pods}/a/binding`, binding)).body.message).toBe(
    'Operation cannot be fulfilled on pods/binding "a": pod a is already assigned to node "node-1"',
  )
})

test('paths and methods that are not served', async () => {
  const { call } = await startApi()
  const unknown = 'the server could not find the requested resource'
  const notAllowed = 'the server does not allow this method on the requested resource'
  const cases: readonly (readonly [string, string, number, string])[] = [
    ['GET', '/api/v1/nonsense', 404, unknown],
    ['GET', '/apis/apps/v9', 404, unknown],
    ['GET', '/api/v2', 404, unknown],
    ['GET', `${pods}/a/nonsense`, 404, unknown],
    ['GET', '/api/v1/pods/a', 404, unknown],
    ['POST', '/api/v1/pods', 405, notAllowed],
    ['PUT', pods, 405, notAllowed],
    ['DELETE', '/api/v1/namespaces', 405, notAllowed],
    ['GET', '/apis/node.k8s.io/v1/runtimeclasses/nope', 404, 'runtimeclasses.node.k8s.io "nope" not found'],
  ]
  for (const [method, path, status, message] of cases) {
    const answer = await call(method, path)
    expect([answer.status, answer.body.message], `${method} ${path}`).toEqual([status, message])
  }
  const outside = await call('GET', '/apis/nope/v1/x')
  expect([outside.status, outside.body.text]).toEqual([404, '404 page not found\n'])
  const accept = await call('GET', pods, undefined, { accept: 'text/plain' })
  expect([accept.status, accept.body.reason]).toEqual([406, 'NotAcceptable'])
})
