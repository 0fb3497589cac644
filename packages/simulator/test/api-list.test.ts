import { expect, test } from 'vitest'
import { type Body, type Client, configMap, configMaps, startApi } from './api-client.ts'

const names = (body: Body) => body.items.map(({ metadata }) => metadata.name)

async function make(client: Client, ...given: readonly string[]) {
  for (const name of given) await client.call('POST', configMaps, configMap(name, { labels: { name } }))
}

test('pages are consistent with the first one while others write', async () => {
  const client = await startApi()
  const { call } = client
  await make(client, 'a', 'b', 'c', 'd', 'e')
  const first = await call('GET', `${configMaps}?limit=2`)
  expect(names(first.body)).toEqual(['a', 'b'])
  expect(first.body.metadata.remainingItemCount).toBe(3)
  await call('DELETE', `${configMaps}/c`)
  await call('DELETE', `${configMaps}/e`)
  await call('PATCH', `${configMaps}/d`, { data: { x: 'new' } }, { 'content-type': 'application/merge-patch+json' })
  await make(client, 'bb', 'f')
  const second = await call('GET', `${configMaps}?limit=2&continue=${first.body.metadata.continue}`)
  expect(names(second.body)).toEqual(['c', 'd'])
  expect(second.body.items[1]?.data).toBeUndefined()
  expect(second.body.metadata.remainingItemCount).toBe(1)
  const third = await call('GET', `${configMaps}?limit=2&continue=${second.body.metadata.continue}`)
  expect(names(third.body)).toEqual(['e'])
  expect(third.body.metadata.continue).toBeUndefined()
  expect(third.body.metadata.resourceVersion).toBe(first.body.metadata.resourceVersion)
  const now = await call('GET', configMaps)
  expect(names(now.body)).toEqual(['a', 'b', 'bb', 'd', 'f'])
})

test('a token whose history is gone is 410 with a token to go on inconsistently', async () => {
  const client = await startApi()
  const { call, simulator } = client
  await make(client, 'a', 'b', 'c')
  const first = await call('GET', `${configMaps}?limit=1`)
  await make(client, 'd')
  simulator.store.compact()
  const gone = await call('GET', `${configMaps}?limit=1&continue=${first.body.metadata.continue}`)
  expect(gone.status).toBe(410)
  expect(gone.body.reason).toBe('Expired')
  expect(gone.body.message).toMatch(/^The provided continue parameter is too old to display a consistent list result\./)
  const rest = await call('GET', `${configMaps}?continue=${gone.body.metadata.continue}`)
  expect(names(rest.body)).toEqual(['b', 'c', 'd'])
})

test('lists of all namespaces are ordered by namespace and continued across them', async () => {
  const client = await startApi()
  const { call } = client
  for (const namespace of ['one', 'two']) {
    await call('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
    for (const name of ['x', 'y']) await call('POST', `/api/v1/namespaces/${namespace}/configmaps`, configMap(name))
  }
  const seen: string[] = []
  let next: unknown = ''
  do {
    const page = await call('GET', `/api/v1/configmaps?limit=1&continue=${String(next)}`)
    for (const { metadata } of page.body.items) seen.push(`${metadata.namespace}/${metadata.name}`)
    next = page.body.metadata.continue ?? ''
  } while (next !== '')
  expect(seen).toEqual(['one/x', 'one/y', 'two/x', 'two/y'])
})

test('a list at an exact version shows the past, one at least as new the present', async () => {
  const client = await startApi()
  const { call, simulator } = client
  await make(client, 'a', 'b')
  const version = simulator.store.revision
  await call('DELETE', `${configMaps}/a`)
  const exact = await call('GET', `${configMaps}?resourceVersion=${version}&resourceVersionMatch=Exact`)
  expect(names(exact.body)).toEqual(['a', 'b'])
  expect(exact.body.metadata.resourceVersion).toBe(String(version))
  const newer = await call('GET', `${configMaps}?resourceVersion=${version}`)
  expect(names(newer.body)).toEqual(['b'])
  const whole = await call('GET', '/api/v1/nodes?resourceVersion=0&limit=1')
  expect(whole.body.items).toHaveLength(3)
  simulator.store.compact()
  const gone = await call('GET', `${configMaps}?resourceVersion=${version}&resourceVersionMatch=Exact`)
  expect([gone.status, gone.body.message]).toEqual([410, 'The resourceVersion for the provided list is too old.'])
})

test('items carry neither kind nor version, the list does', async () => {
  const client = await startApi()
  await make(client, 'a')
  const { body } = await client.call('GET', configMaps)
  expect(body.kind).toBe('ConfigMapList')
  expect(body.apiVersion).toBe('v1')
  expect(Object.keys(body.items[0] as object)).toEqual(['metadata'])
})

test('label selectors', async () => {
  const client = await startApi()
  await make(client, 'a', 'b', 'c')
  await client.call('POST', configMaps, configMap('none'))
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['name=a', ['a']],
    ['name==b', ['b']],
    ['name!=a', ['b', 'c', 'none']],
    ['name in (a, c)', ['a', 'c']],
    ['name notin (a,c)', ['b', 'none']],
    ['name', ['a', 'b', 'c']],
    ['!name', ['none']],
    ['name,name!=b', ['a', 'c']],
  ]
  for (const [selector, expected] of cases) {
    const { body } = await client.call('GET', `${configMaps}?labelSelector=${encodeURIComponent(selector)}`)
    expect(names(body), selector).toEqual(expected)
    const page = await client.call('GET', `${configMaps}?limit=1&labelSelector=${encodeURIComponent(selector)}`)
    expect(page.body.metadata.remainingItemCount).toBeUndefined()
  }
})

test('refused options have the status and text of the real server', async () => {
  const { call } = await startApi()
  const cases: readonly (readonly [string, number, string])[] = [
    ['labelSelector=a+b', 400, "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    ['labelSelector=a+in+(x', 400, "unable to parse requirement: found '', expected: ',' or ')'"],
    ['labelSelector=,', 400, "found ',', expected: !, identifier, or 'end of string'"],
    ['labelSelector=a%3D%3D%3Db', 400, "unable to parse requirement: found '=', expected: identifier"],
    ['fieldSelector=metadata.name', 400, "invalid selector: 'metadata.name'; can't understand 'metadata.name'"],
    [
      'fieldSelector=spec.x=y',
      400,
      '"spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
    ],
    ['limit=x', 400, 'strconv.ParseInt: parsing "x": invalid syntax'],
    [
      'continue=abc',
      400,
      "invalid continue token: continue key is not valid: invalid character 'i' looking for beginning of value",
    ],
    [
      'resourceVersion=abc',
      400,
      'invalid resource version: resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax',
    ],
    [
      'resourceVersionMatch=Exact',
      422,
      'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided',
    ],
    [
      'resourceVersion=1&resourceVersionMatch=Zap',
      422,
      'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Unsupported value: "Zap": supported values: "Exact", "NotOlderThan", ""',
    ],
  ]
  for (const [query, status, message] of cases) {
    const answer = await call('GET', `/apis/apps/v1/namespaces/default/deployments?${query}`)
    expect([answer.status, answer.body.message], query).toEqual([status, message])
  }
  const podField = await call('GET', '/api/v1/pods?fieldSelector=spec.zap=y')
  expect([podField.status, podField.body.message]).toEqual([400, 'field label not supported: spec.zap'])
})
