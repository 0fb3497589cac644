import { describe, expect, test } from 'vitest'
import { type Answer, type Client, configMap, configMaps, pod, pods, startApi } from './api-client.ts'

const applyType = { 'content-type': 'application/apply-patch+yaml' }
const merge = { 'content-type': 'application/merge-patch+json' }
const strategic = { 'content-type': 'application/strategic-merge-patch+json' }
const deployments = '/apis/apps/v1/namespaces/default/deployments'

const container = {
  name: 'a',
  image: 'i',
  ports: [{ containerPort: 80 }],
  env: [{ name: 'E', value: '1' }],
}

function deployment(spec: object) {
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'x' }, spec }
}

const whole = {
  selector: { matchLabels: { app: 'x' } },
  template: { metadata: { labels: { app: 'x' } }, spec: { containers: [container] } },
}
const ofContainer = (spec: object) => ({ template: { spec: { containers: [{ name: 'a', ...spec }] } } })

function apply({ call }: Client, manager: string, body: object, more = ''): Promise<Answer> {
  return call('PATCH', `${deployments}/x?fieldManager=${manager}${more}`, body, applyType)
}

type Entry = {
  readonly manager: string
  readonly operation: string
  readonly subresource?: string
  readonly fieldsV1: object
}

function owners({ body }: Answer): Readonly<Record<string, object>> {
  const entries = (body.metadata.managedFields ?? []) as readonly Entry[]
  return Object.fromEntries(
    entries.map(({ manager, operation, subresource = '', fieldsV1 }) => [
      `${manager} ${operation} ${subresource}`.trim(),
      fieldsV1,
    ]),
  )
}

const spec = ({ body }: Answer) =>
  body.spec as {
    readonly replicas: number
    readonly minReadySeconds?: number
    readonly template: { readonly spec: { readonly containers: readonly (typeof container)[] } }
  }

const conflict = (message: string, fields: readonly (readonly [string, string])[]) => ({
  status: 409,
  body: {
    reason: 'Conflict',
    message,
    details: {
      causes: fields.map(([whom, field]) => ({
        reason: 'FieldManagerConflict',
        message: `conflict with ${whom}`,
        field,
      })),
    },
  },
})

describe('apply', () => {
  test('makes what is not there: the applier owns what it said, nobody the defaults', async () => {
    const client = await startApi()
    const made = await apply(client, 'm1', deployment({ replicas: 0, ...whole }))
    expect(made.status).toBe(201)
    expect(spec(made).template.spec.containers[0]?.ports).toEqual([{ containerPort: 80, protocol: 'TCP' }])
    expect(owners(made)).toEqual({
      'm1 Apply': {
        'f:spec': {
          'f:replicas': {},
          'f:selector': {},
          'f:template': {
            'f:metadata': { 'f:labels': { 'f:app': {} } },
            'f:spec': {
              'f:containers': {
                'k:{"name":"a"}': {
                  '.': {},
                  'f:env': { 'k:{"name":"E"}': { '.': {}, 'f:name': {}, 'f:value': {} } },
                  'f:image': {},
                  'f:name': {},
                  'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} } },
                },
              },
            },
          },
        },
      },
    })
    const again = await apply(client, 'm1', deployment({ replicas: 0, ...whole }))
    expect([again.status, again.body.metadata.resourceVersion]).toEqual([200, made.body.metadata.resourceVersion])
  })

  test("is refused for fields of another value that others own, in the API server's words", async () => {
    const client = await startApi()
    await apply(client, 'm1', deployment({ replicas: 0, ...whole }))
    expect(await apply(client, 'm2', deployment({ replicas: 1 }))).toMatchObject(
      conflict('Apply failed with 1 conflict: conflict with "m1": .spec.replicas', [['"m1"', '.spec.replicas']]),
    )
    await client.call('PATCH', `${deployments}/x?fieldManager=m3`, { spec: { minReadySeconds: 3 } }, merge)
    const three = { replicas: 1, minReadySeconds: 4, ...ofContainer({ image: 'j', env: [{ name: 'E', value: '2' }] }) }
    expect((await apply(client, 'm2', deployment(three))).body.message).toBe(
      [
        'Apply failed with 4 conflicts: conflicts with "m1":',
        '- .spec.replicas',
        '- .spec.template.spec.containers[name="a"].image',
        '- .spec.template.spec.containers[name="a"].env[name="E"].value',
        'conflicts with "m3" using apps/v1:',
        '- .spec.minReadySeconds',
      ].join('\n'),
    )
    // The same value is owned together.
    const same = await apply(client, 'm2', deployment({ replicas: 0 }))
    expect(owners(same)).toMatchObject({
      'm1 Apply': { 'f:spec': { 'f:replicas': {} } },
      'm2 Apply': { 'f:spec': { 'f:replicas': {} } },
    })
  })

  test('with force takes the fields over', async () => {
    const client = await startApi()
    await apply(client, 'm1', deployment({ replicas: 0, ...whole }))
    const forced = await apply(client, 'm2', deployment({ replicas: 3 }), '&force=true')
    expect(spec(forced).replicas).toBe(3)
    expect(owners(forced)['m2 Apply']).toEqual({ 'f:spec': { 'f:replicas': {} } })
    expect(owners(forced)['m1 Apply']).not.toHaveProperty('f:spec.f:replicas')
  })

  test('removes what the applier no longer says, unless others own it too', async () => {
    const client = await startApi()
    const more = { ...container, env: [...container.env, { name: 'F', value: '2' }, { name: 'G', value: '3' }] }
    const first = { ...whole, template: { ...whole.template, spec: { containers: [more] } } }
    await apply(client, 'm1', deployment({ replicas: 2, minReadySeconds: 5, ...first }))
    await apply(client, 'm2', deployment(ofContainer({ env: [{ name: 'G', value: '3' }] })))
    const after = await apply(client, 'm1', deployment(whole))
    expect(spec(after)).toMatchObject({ replicas: 1 })
    expect(spec(after)).not.toHaveProperty('minReadySeconds')
    expect(spec(after).template.spec.containers[0]?.env).toEqual([
      { name: 'E', value: '1' },
      { name: 'G', value: '3' },
    ])
    const gone = await apply(client, 'm2', { apiVersion: 'apps/v1', kind: 'Deployment' })
    expect(spec(gone).template.spec.containers[0]?.env).toEqual([{ name: 'E', value: '1' }])
    expect(Object.keys(owners(gone))).toEqual(['m1 Apply'])
  })

  test('labels go one by one, the name stays', async () => {
    const client = await startApi()
    const labelled = (labels: object) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'c', ...(Object.keys(labels).length === 0 ? {} : { labels }) },
    })
    const path = `${configMaps}/c?fieldManager=m`
    await client.call('PATCH', path, labelled({ a: '1', b: '2' }), applyType)
    expect((await client.call('PATCH', path, labelled({ b: '2' }), applyType)).body.metadata.labels).toEqual({ b: '2' })
    const bare = await client.call('PATCH', path, labelled({}), applyType)
    expect(bare.body.metadata).toMatchObject({ name: 'c', namespace: 'default' })
    expect(bare.body.metadata).not.toHaveProperty('labels')
  })

  test('a status has owners of its own', async () => {
    const client = await startApi()
    await apply(client, 'm1', deployment({ replicas: 0, ...whole }))
    const status = { conditions: [{ type: 'Foo', status: 'True' }] }
    const body = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'x' }, status, spec: { replicas: 9 } }
    const after = await client.call('PATCH', `${deployments}/x/status?fieldManager=st`, body, applyType)
    expect(spec(after).replicas).toBe(0)
    expect(owners(after)['st Apply status']).toEqual({
      'f:status': { 'f:conditions': { 'k:{"type":"Foo"}': { '.': {}, 'f:status': {}, 'f:type': {} } } },
    })
  })

  test('a trial run changes nothing', async () => {
    const client = await startApi()
    await apply(client, 'm1', deployment({ replicas: 0, ...whole }))
    const tried = await apply(client, 'm2', deployment({ minReadySeconds: 7 }), '&dryRun=All')
    expect([spec(tried).minReadySeconds, Object.keys(owners(tried))]).toEqual([7, ['m1 Apply', 'm2 Apply']])
    const stored = await client.call('GET', `${deployments}/x`)
    expect([spec(stored).minReadySeconds, Object.keys(owners(stored))]).toEqual([undefined, ['m1 Apply']])
  })

  test('refusals', async () => {
    const client = await startApi()
    await apply(client, 'm1', deployment({ replicas: 0, ...whole }))
    const outcome = async (body: unknown, query = '?fieldManager=m2', path = `${deployments}/x`) => {
      const answer = await client.call('PATCH', `${path}${query}`, body, applyType)
      return [answer.status, answer.body.message]
    }
    expect(await outcome(deployment({}), '')).toEqual([
      422,
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
    ])
    expect(await outcome({ ...deployment({}), metadata: { name: 'x', managedFields: [{}] } })).toEqual([
      400,
      'metadata.managedFields must be nil',
    ])
    expect(await outcome({ ...deployment({}), kind: 'ReplicaSet' })).toEqual([
      400,
      'invalid object type: apps/v1, Kind=ReplicaSet',
    ])
    expect(await outcome({ metadata: { name: 'x' } })).toEqual([400, 'invalid object type: /, Kind='])
    expect(await outcome({ ...deployment({}), metadata: { name: 'y' } })).toEqual([
      400,
      'the name of the object (y) does not match the name on the URL (x)',
    ])
    expect((await outcome({ ...deployment({}), metadata: { name: 'x', resourceVersion: '1' } }))[0]).toBe(409)
    const typed = 'failed to create typed patch object (/x; apps/v1, Kind=Deployment): '
    expect(await outcome(deployment({ foo: 1 }))).toEqual([500, `${typed}.spec.foo: field not declared in schema`])
    expect(await outcome(deployment({ replicas: 'two' }))).toEqual([
      500,
      `${typed}.spec.replicas: expected numeric (int or float), got string`,
    ])
    expect(await outcome(deployment({ template: { spec: { containers: [{ name: 'j' }, { name: 'j' }] } } }))).toEqual([
      500,
      `${typed}.spec.template.spec.containers: duplicate entries for key [name="j"]`,
    ])
    expect(await outcome('a: b')).toEqual([
      400,
      'error decoding YAML: the simulator reads only JSON, which is YAML too',
    ])
    const uid = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'nope', uid: 'abc' } }
    expect(await outcome(uid, '?fieldManager=m2', `${configMaps}/nope`)).toEqual([
      409,
      'Operation cannot be fulfilled on configmaps "nope": uid mismatch: the provided object specified uid abc, and no existing object was found',
    ])
  })
})

describe('managedFields of other writes', () => {
  test('a creator owns what it sent and its defaults, not what admission adds', async () => {
    const { call } = await startApi()
    const body = pod('p', { containers: [{ name: 'a', image: 'i', env: [{ name: 'A', value: 'b' }] }] })
    const labelled = { ...body, metadata: { name: 'p', labels: { a: 'b' } } }
    const made = await call('POST', `${pods}?fieldManager=crt`, labelled)
    expect(owners(made)).toEqual({
      'crt Update': {
        'f:metadata': { 'f:labels': { '.': {}, 'f:a': {} } },
        'f:spec': {
          'f:containers': {
            'k:{"name":"a"}': {
              '.': {},
              'f:env': { '.': {}, 'k:{"name":"A"}': { '.': {}, 'f:name': {}, 'f:value': {} } },
              'f:image': {},
              'f:imagePullPolicy': {},
              'f:name': {},
              'f:resources': {},
              'f:terminationMessagePath': {},
              'f:terminationMessagePolicy': {},
            },
          },
          'f:dnsPolicy': {},
          'f:enableServiceLinks': {},
          'f:restartPolicy': {},
          'f:schedulerName': {},
          'f:securityContext': {},
          'f:terminationGracePeriodSeconds': {},
        },
      },
    })
  })

  test('who changes a field owns it from then on, whoever it is', async () => {
    const { call } = await startApi()
    await call('POST', configMaps, configMap('c', { data: { a: '1', b: '2' } }), {
      'user-agent': 'kubectl/v1.32 (linux)',
    })
    const patched = await call('PATCH', `${configMaps}/c?fieldManager=m`, { data: { a: '3', b: null } }, merge)
    expect(owners(patched)).toEqual({
      'kubectl Update': { 'f:data': {} },
      'm Update': { 'f:data': { 'f:a': {} } },
    })
    const reset = await call('PATCH', `${configMaps}/c`, { metadata: { managedFields: [{}] } }, merge)
    expect(owners(reset)).toEqual({})
    const applied = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, data: { a: '4' } }
    expect((await call('PATCH', `${configMaps}/c?fieldManager=m`, applied, applyType)).body.message).toBe(
      'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.a',
    )
  })

  test('scaling takes the replicas from who owned them', async () => {
    const client = await startApi()
    await apply(client, 'm1', deployment({ replicas: 0, ...whole }))
    const body = { spec: { replicas: 2 } }
    await client.call('PATCH', `${deployments}/x/scale?fieldManager=sc`, body, merge)
    const after = owners(await client.call('GET', `${deployments}/x`))
    expect(after['sc Update scale']).toEqual({ 'f:spec': { 'f:replicas': {} } })
    expect(after['m1 Apply']).not.toHaveProperty('f:spec.f:replicas')
    expect((await apply(client, 'm1', deployment({ replicas: 1, ...whole }))).body.message).toBe(
      'Apply failed with 1 conflict: conflict with "sc" with subresource "scale" using apps/v1: .spec.replicas',
    )
  })
})

describe('field validation', () => {
  const odd = '{"metadata":{"name":"q","zap":2},"data":{"a":"1","a":"2"},"foo":1,"foo":2}'
  const problems = ['unknown field "metadata.zap"', 'duplicate field "data.a"', 'unknown field "foo"']

  test('warns, refuses, or says nothing', async () => {
    const { call } = await startApi()
    const strict = await call('POST', `${configMaps}?fieldValidation=Strict`, odd)
    expect([strict.status, strict.body.message]).toEqual([
      400,
      `ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: ${problems.join(', ')}`,
    ])
    const warned = await call('POST', configMaps, odd)
    expect([warned.status, warned.headers.get('warning')]).toEqual([
      201,
      problems.map((problem) => `299 - ${JSON.stringify(problem)}`).join(', '),
    ])
    const ignored = await call('PUT', `${configMaps}/q?fieldValidation=Ignore`, odd)
    expect([ignored.status, ignored.headers.get('warning')]).toEqual([200, null])
    const bogus = await call('POST', `${configMaps}?fieldValidation=Bogus`, odd)
    expect([bogus.status, bogus.body.message]).toEqual([
      422,
      'CreateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Bogus": supported values: "", "Ignore", "Strict", "Warn"',
    ])
  })

  test('patches are judged by what they make', async () => {
    const { call } = await startApi()
    await call('POST', configMaps, configMap('q'))
    const body = { foo: 1, metadata: { zap: 1 } }
    const found = 'unknown field "foo", unknown field "metadata.zap"'
    const refused = await call('PATCH', `${configMaps}/q?fieldValidation=Strict`, body, strategic)
    expect([refused.status, refused.body.message]).toEqual([
      422,
      ` "" is invalid: patch: Invalid value: "map[foo:1 metadata:map[zap:1]]": strict decoding error: ${found}`,
    ])
    const merged = await call('PATCH', `${configMaps}/q?fieldValidation=Strict`, body, merge)
    expect([merged.status, merged.body.message]).toEqual([
      422,
      expect.stringContaining(`strict decoding error: ${found}`),
    ])
    const warned = await call('PATCH', `${configMaps}/q`, body, merge)
    expect([warned.status, warned.headers.get('warning')]).toEqual([
      200,
      '299 - "unknown field \\"foo\\"", 299 - "unknown field \\"metadata.zap\\""',
    ])
  })
})

test('bodies under the name of YAML are read as JSON', async () => {
  const { call } = await startApi()
  const yaml = { 'content-type': 'application/yaml' }
  expect((await call('POST', configMaps, configMap('y'), yaml)).status).toBe(201)
  expect((await call('POST', configMaps, 'a: {', yaml)).status).toBe(400)
})

test('an eviction is a deletion', async () => {
  const { call } = await startApi()
  await call('POST', pods, pod('p'))
  const eviction = (name: string) => ({ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } })
  const other = await call('POST', `${pods}/p/eviction`, eviction('other'))
  expect([other.status, other.body.message]).toEqual([400, 'name in URL does not match name in Eviction object'])
  expect((await call('POST', `${pods}/p/eviction?dryRun=All`, eviction('p'))).status).toBe(201)
  expect((await call('GET', `${pods}/p`)).status).toBe(200)
  const done = await call('POST', `${pods}/p/eviction`, eviction('p'))
  expect([done.status, done.body.status]).toEqual([201, 'Success'])
  expect((await call('GET', `${pods}/p`)).status).toBe(404)
  expect((await call('POST', `${pods}/p/eviction`, eviction('p'))).body.message).toBe('pods "p" not found')
})

test('OpenAPI tells kubectl that the server validates fields and does trial runs', async () => {
  const { call } = await startApi()
  const index = (await call('GET', '/openapi/v3')).body.paths as Record<string, { serverRelativeURL: string }>
  const document = (await call('GET', index['apis/apps/v1']?.serverRelativeURL ?? '')).body as unknown as {
    readonly paths: Readonly<Record<string, { readonly patch: Readonly<Record<string, unknown>> }>>
  }
  const path = '/apis/apps/v1/namespaces/{namespace}/deployments/{name}'
  expect(document.paths[path]?.patch).toMatchObject({
    'x-kubernetes-group-version-kind': { group: 'apps', version: 'v1', kind: 'Deployment' },
    parameters: expect.arrayContaining([
      expect.objectContaining({ name: 'fieldValidation', in: 'query' }),
      expect.objectContaining({ name: 'dryRun', in: 'query' }),
    ]),
  })
  expect((await call('GET', '/openapi/v3/apis/none/v1')).status).toBe(404)
})
