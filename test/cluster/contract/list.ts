import { expect } from 'vitest'
import { resources } from '../../../packages/server/src/kube/index.ts'
import type { Area, Bench } from './case.ts'
import { configMaps, quietPod, refusal } from './objects.ts'
import { type Answer, openRequests } from './target.ts'

type ListBody = {
  readonly metadata: {
    readonly resourceVersion: string
    readonly continue?: string
    readonly remainingItemCount?: number
  }
  readonly items: readonly { readonly metadata: { readonly name: string } }[]
}

const listOf = (answer: Answer) => answer.json as ListBody
const namesOf = (answer: Answer) => listOf(answer).items.map(({ metadata }) => metadata.name)
const path = (namespace: string, query = '') => `/api/v1/namespaces/${namespace}/pods${query}`

/** Pods that stay as they are, in parallel; `a` to `e`, with labels to choose by. */
async function makePods(bench: Bench): Promise<string> {
  const namespace = await bench.namespace()
  const labels: Record<string, Record<string, string>> = {
    a: { tier: 'web', zone: 'z1' },
    b: { tier: 'web', zone: 'z2' },
    c: { tier: 'db', zone: 'z1' },
    d: { tier: 'db' },
    e: {},
  }
  await Promise.all(
    Object.entries(labels).map(([name, of]) => bench.kube.create(resources.pods, quietPod(name, of), { namespace })),
  )
  return namespace
}

export const listArea: Area = {
  title: 'Get and list',
  cases: [
    {
      title: 'get of one object, and 404 of one that is not there',
      async run(bench) {
        const namespace = await bench.namespace()
        const made = await bench.kube.create(resources.pods, quietPod('a'), { namespace })
        expect(await bench.kube.get(resources.pods, { namespace, name: 'a' })).toEqual(made)
        expect(await refusal(bench.kube.get(resources.pods, { namespace, name: 'none' }))).toEqual({
          code: 404,
          reason: 'NotFound',
          message: 'pods "none" not found',
        })
        expect(await refusal(bench.kube.get(resources.deployments, { namespace, name: 'none' }))).toEqual({
          code: 404,
          reason: 'NotFound',
          message: 'deployments.apps "none" not found',
        })
        expect(await refusal(bench.kube.get(resources.namespaces, { name: 'none' }))).toMatchObject({ code: 404 })
        bench.seen('object', made)
        bench.seen('missing', (await bench.request('GET', path(namespace, '/none'))).json)
      },
    },
    {
      title: 'a list is in name order and of one version; an empty or unknown namespace is an empty list',
      async run(bench) {
        const namespace = await makePods(bench)
        const list = await bench.kube.list(resources.pods, { namespace })
        expect(list.items.map(({ metadata }) => metadata?.name)).toEqual(['a', 'b', 'c', 'd', 'e'])
        const versions = list.items.map(({ metadata }) => Number(metadata?.resourceVersion))
        expect(Number(list.resourceVersion)).toBeGreaterThanOrEqual(Math.max(...versions))
        expect((await bench.kube.list(resources.pods, { namespace: 'no-such-namespace' })).items).toEqual([])
        bench.seen('list', (await bench.request('GET', path(namespace))).json)
        bench.seen('empty list', (await bench.request('GET', path('no-such-namespace'))).json)
      },
    },
    {
      title: 'a list of all namespaces holds every one’s objects',
      async run(bench) {
        const namespace = await makePods(bench)
        const list = await bench.kube.list(resources.pods, { pageSize: 3, labelSelector: 'tier' })
        const own = list.items.filter(({ metadata }) => metadata?.namespace === namespace)
        expect(own.map(({ metadata }) => metadata?.name)).toEqual(['a', 'b', 'c', 'd'])
        expect((await bench.kube.list(resources.nodes)).items.map(({ metadata }) => metadata?.name)).toEqual([
          'node-1',
          'node-2',
          'node-3',
        ])
      },
    },
    {
      title: 'paging: `limit`, `continue` and `remainingItemCount`; all pages show one moment',
      async run(bench) {
        const namespace = await makePods(bench)
        const first = await bench.request('GET', path(namespace, '?limit=2'))
        expect(namesOf(first)).toEqual(['a', 'b'])
        expect(listOf(first).metadata.remainingItemCount).toBe(3)
        await bench.kube.create(resources.pods, quietPod('bb'), { namespace })
        await bench.kube.delete(resources.pods, { namespace, name: 'd' })
        const next = (page: Answer) =>
          bench.request('GET', path(namespace, `?limit=2&continue=${listOf(page).metadata.continue}`))
        const second = await next(first)
        expect(namesOf(second)).toEqual(['c', 'd'])
        expect(listOf(second).metadata.remainingItemCount).toBe(1)
        expect(listOf(second).metadata.resourceVersion).toBe(listOf(first).metadata.resourceVersion)
        const third = await next(second)
        expect(namesOf(third)).toEqual(['e'])
        expect(listOf(third).metadata).toEqual({ resourceVersion: listOf(first).metadata.resourceVersion })
        const exact = await bench.kube.list(resources.pods, { namespace, pageSize: 2 })
        expect(exact.items.map(({ metadata }) => metadata?.name)).toEqual(['a', 'b', 'bb', 'c', 'e'])
      },
    },
    {
      title: 'paging with a selector: full pages, and no `remainingItemCount`',
      async run(bench) {
        const namespace = await makePods(bench)
        const first = await bench.request('GET', path(namespace, '?limit=2&labelSelector=tier'))
        expect(namesOf(first)).toEqual(['a', 'b'])
        expect(listOf(first).metadata).not.toHaveProperty('remainingItemCount')
        const token = listOf(first).metadata.continue
        const rest = await bench.request('GET', path(namespace, `?limit=2&labelSelector=tier&continue=${token}`))
        expect(namesOf(rest)).toEqual(['c', 'd'])
        // Something follows, even if the selector does not mean it.
        const end = await bench.request(
          'GET',
          path(namespace, `?limit=2&labelSelector=tier&continue=${listOf(rest).metadata.continue}`),
        )
        expect(listOf(end)).toMatchObject({ metadata: { resourceVersion: expect.anything() }, items: [] })
        expect(listOf(end).metadata).not.toHaveProperty('continue')
        const whole = await bench.request('GET', path(namespace, '?limit=2&labelSelector=tier%3Ddb'))
        bench.seen('whole', Object.keys(listOf(whole).metadata))
        const one = await bench.request('GET', path(namespace, '?limit=1&fieldSelector=metadata.name%3Da'))
        bench.seen('one', Object.keys(listOf(one).metadata))
      },
    },
    {
      title: 'refusal of a `continue` that is broken, or comes with a version',
      async run(bench) {
        const namespace = await makePods(bench)
        const first = await bench.request('GET', path(namespace, '?limit=2'))
        const token = listOf(first).metadata.continue
        const withVersion = await bench.request('GET', path(namespace, `?limit=2&continue=${token}&resourceVersion=5`))
        expect(withVersion).toMatchObject({
          code: 400,
          json: { reason: 'BadRequest', message: 'specifying resource version is not allowed when using continue' },
        })
        const broken = await bench.request('GET', path(namespace, '?limit=2&continue=a.b'))
        expect(broken).toMatchObject({ code: 400, json: { reason: 'BadRequest' } })
        bench.seen('with version', withVersion.json)
        bench.seen('broken', broken.json)
        const tokens = [
          {},
          { v: 'x', rv: 1, start: 'a' },
          { v: 'meta.k8s.io/v1', rv: 0, start: 'a' },
          { v: 'meta.k8s.io/v1', rv: 1, start: '' },
        ]
        for (const made of tokens) {
          const text = Buffer.from(JSON.stringify(made)).toString('base64url')
          const answer = await bench.request('GET', path(namespace, `?limit=2&continue=${text}`))
          bench.seen(JSON.stringify(made), answer.json)
        }
      },
    },
    {
      title: 'label selectors: `=`, `==`, `!=`, `in`, `notin`, `key`, `!key`, several at once',
      async run(bench) {
        const namespace = await makePods(bench)
        const chosen = async (labelSelector: string) =>
          (await bench.kube.list(resources.pods, { namespace, labelSelector })).items.map(
            ({ metadata }) => metadata?.name,
          )
        expect(await chosen('tier=web')).toEqual(['a', 'b'])
        expect(await chosen('tier==db')).toEqual(['c', 'd'])
        expect(await chosen('tier!=web')).toEqual(['c', 'd', 'e'])
        expect(await chosen('zone in (z1, z3)')).toEqual(['a', 'c'])
        expect(await chosen('zone notin (z1)')).toEqual(['b', 'd', 'e'])
        expect(await chosen('zone')).toEqual(['a', 'b', 'c'])
        expect(await chosen('!zone')).toEqual(['d', 'e'])
        expect(await chosen('tier=db,zone=z1')).toEqual(['c'])
        expect(await chosen('')).toEqual(['a', 'b', 'c', 'd', 'e'])
      },
    },
    {
      title: 'refusal of a broken label selector, in the same words',
      async run(bench) {
        const namespace = await bench.namespace()
        for (const labelSelector of ['a in', 'a in (b', '=b', 'a=b=c', 'a b', 'a,', 'A_/x=1', `x=${'y'.repeat(64)}`]) {
          const refused = await refusal(bench.kube.list(resources.pods, { namespace, labelSelector }))
          expect(refused).toMatchObject({ code: 400, reason: 'BadRequest' })
          bench.seen(labelSelector, refused)
        }
      },
    },
    {
      title: 'field selectors: `metadata.name`, `metadata.namespace`, `spec.nodeName`, `status.phase`, `!=`',
      async run(bench) {
        const namespace = await makePods(bench)
        const chosen = async (fieldSelector: string) =>
          (await bench.kube.list(resources.pods, { namespace, fieldSelector })).items.map(
            ({ metadata }) => metadata?.name,
          )
        expect(await chosen('metadata.name=b')).toEqual(['b'])
        expect(await chosen('metadata.name!=b')).toEqual(['a', 'c', 'd', 'e'])
        expect(await chosen(`metadata.namespace=${namespace},metadata.name=a`)).toEqual(['a'])
        expect(await chosen('spec.nodeName=')).toEqual(['a', 'b', 'c', 'd', 'e'])
        expect(await chosen('spec.nodeName=node-1')).toEqual([])
        expect(await chosen('status.phase=Pending')).toEqual(['a', 'b', 'c', 'd', 'e'])
        expect(await chosen('status.phase!=Pending')).toEqual([])
        expect(await chosen('spec.restartPolicy=Always,spec.schedulerName=default-scheduler')).toHaveLength(5)
      },
    },
    {
      title: 'refusal of a field selector that is not supported or broken, in the same words',
      async run(bench) {
        const namespace = await bench.namespace()
        const refused = await refusal(bench.kube.list(resources.pods, { namespace, fieldSelector: 'spec.hostname=a' }))
        expect(refused).toEqual({
          code: 400,
          reason: 'BadRequest',
          message: 'field label not supported: spec.hostname',
        })
        const more = [
          'status.phase',
          'a=b=c',
          '=a',
          'metadata.name=a,',
          'metadata.name=a\\',
          'metadata.name=a\\x',
          'x=1\\,',
        ]
        for (const fieldSelector of more) bench.seen(fieldSelector, await outcome(bench, namespace, fieldSelector))
        bench.seen(
          'deployments',
          await refusal(bench.kube.list(resources.deployments, { namespace, fieldSelector: 'status.replicas=1' })),
        )
        bench.seen('nodes', await refusal(bench.kube.list(resources.nodes, { fieldSelector: 'status.phase=1' })))
      },
    },
    {
      title: 'a list at a version: Exact shows the past, NotOlderThan at least it, 0 anything, a future one is 504',
      async run(bench) {
        const namespace = await makePods(bench)
        const { resourceVersion } = await bench.kube.list(resources.pods, { namespace })
        await bench.kube.delete(resources.pods, { namespace, name: 'a' })
        const at = (query: string) => bench.request('GET', path(namespace, `?${query}`))
        expect(namesOf(await at(`resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`))).toHaveLength(5)
        expect(namesOf(await at(`resourceVersion=${resourceVersion}&resourceVersionMatch=NotOlderThan`))).toHaveLength(
          4,
        )
        const any = await at('resourceVersion=0&limit=2')
        expect(any.code).toBe(200)
        const future = await at(`resourceVersion=${Number(resourceVersion) + 1_000_000}`)
        expect(future.code).toBe(504)
        const { message, ...rest } = future.json as { readonly message: string }
        expect(message).toMatch(/^Timeout: Too large resource version: \d+, current: \d+$/)
        bench.seen('future', { rest, retryAfter: future.headers['retry-after'] })
        bench.seen('not a version', (await at('resourceVersion=abc')).json)
        bench.seen('match without version', (await at('resourceVersionMatch=Exact')).json)
        bench.seen('unknown match', (await at('resourceVersion=1&resourceVersionMatch=Nope')).json)
        bench.seen('exact zero', (await at('resourceVersion=0&resourceVersionMatch=Exact')).json)
      },
    },
    {
      title: 'a list’s items have a version but no kind; of other kinds, too',
      async run(bench) {
        const namespace = await bench.namespace()
        await bench.kube.create(configMaps, { metadata: { name: 'a' }, data: { k: 'v' } }, { namespace })
        const answer = await bench.request(
          'GET',
          `/api/v1/namespaces/${namespace}/configmaps?fieldSelector=metadata.name%3Da`,
        )
        expect(listOf(answer).items).toHaveLength(1)
        expect(listOf(answer).items[0]).not.toHaveProperty('kind')
        bench.seen('config maps', answer.json)
        bench.seen('no autoscalers', (await bench.request('GET', hpas(namespace))).json)
      },
    },
    {
      title: 'plain paths: `/version`, `/readyz`; an unknown path is 404 without a Status; wrong credentials are 401',
      async run(bench) {
        expect(await bench.kube.raw('/version')).toMatchObject({ major: '1', minor: '36' })
        expect((await bench.request('GET', '/readyz')).text).toBe('ok')
        const unknown = await bench.request('GET', '/apis/none.example/v1/things')
        expect(unknown.code).toBe(404)
        expect(unknown.text).toBe('404 page not found\n')
        expect(await refusal(bench.kube.raw('/apis/none.example/v1'))).toEqual({
          code: 404,
          reason: '',
          message: 'HTTP 404: 404 page not found',
        })
        const kind = await bench.request('GET', '/api/v1/namespaces/default/things')
        expect(kind).toMatchObject({ code: 404, json: { message: 'the server could not find the requested resource' } })
        bench.seen('unknown kind', kind.json)
        const stranger = openRequests({ ...bench.config, token: 'wrong' })
        const unauthorized = await stranger.send('GET', '/api/v1/namespaces')
        await stranger.close()
        expect(unauthorized).toMatchObject({ code: 401, json: { reason: 'Unauthorized', message: 'Unauthorized' } })
        bench.seen('unauthorized', unauthorized.json)
        const method = await bench.request('PUT', '/api/v1/namespaces/default/pods', {})
        bench.seen('method', { code: method.code, body: method.json })
      },
    },
  ],
}

const hpas = (namespace: string) => `/apis/autoscaling/v2/namespaces/${namespace}/horizontalpodautoscalers`

async function outcome(bench: Bench, namespace: string, fieldSelector: string): Promise<unknown> {
  const query = new URLSearchParams({ fieldSelector })
  const { code, json } = await bench.request('GET', path(namespace, `?${query}`))
  return { code, json }
}
