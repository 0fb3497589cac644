import type { KubernetesObject } from '@kubernetes/client-node'
import { expect } from 'vitest'
import { resources } from '../../../packages/server/src/kube/index.ts'
import type { Area } from './case.ts'
import { configMaps, deployment, quietPod, refusal } from './objects.ts'

/**
 * Who of the writers here owns what, without the times and the order that comes of them; a real cluster's controllers
 * write when they please.
 */
function ownersOf({ metadata }: KubernetesObject): unknown {
  const own = metadata?.managedFields?.filter(({ manager }) => manager !== 'kube-controller-manager')
  const keyOf = (entry: { readonly manager?: string; readonly operation?: string; readonly subresource?: string }) =>
    `${entry.manager} ${entry.operation} ${entry.subresource ?? ''}`
  return own
    ?.map(({ time, ...rest }) => ({ ...rest, timed: time !== undefined }))
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
}

const applyType = 'application/apply-patch+yaml'

export const applyArea: Area = {
  title: 'Server-side apply',
  cases: [
    {
      title: 'makes what is not there, changes what is, and removes what is no longer sent',
      async run({ kube, namespace: ns, seen }) {
        const namespace = await ns()
        const options = { namespace, fieldManager: 'one' }
        const map = (data: Record<string, string>) => ({ metadata: { name: 'm', labels: { x: '1' } }, data })
        const made = await kube.apply(configMaps, map({ a: '1', b: '2' }), options)
        expect(made.data).toEqual({ a: '1', b: '2' })
        seen('made', [made, ownersOf(made)])
        const same = await kube.apply(configMaps, map({ a: '1', b: '2' }), options)
        expect(same.metadata?.resourceVersion).toBe(made.metadata?.resourceVersion)
        const changed = await kube.apply(configMaps, { metadata: { name: 'm' }, data: { a: '3' } }, options)
        expect(changed.data).toEqual({ a: '3' })
        expect(changed.metadata).not.toHaveProperty('labels')
        seen('changed', [changed, ownersOf(changed)])
        const d = deployment('d', 2)
        const applied = await kube.apply(resources.deployments, d, { ...options, fieldManager: 'podyard' })
        expect(applied.spec?.replicas).toBe(2)
        seen('deployment', [applied.spec, ownersOf(applied)])
      },
    },
    {
      title: 'a field that somebody else owns is 409 with a cause for each; force takes it over',
      async run({ kube, namespace: ns, seen }) {
        const namespace = await ns()
        const map = (data: Record<string, string>) => ({ metadata: { name: 'm' }, data })
        await kube.apply(configMaps, map({ a: '1', b: '1', c: '1' }), { namespace, fieldManager: 'one' })
        const refused = await refusal(
          kube.apply(configMaps, map({ a: '2', b: '2', c: '1' }), { namespace, fieldManager: 'two' }),
        )
        expect(refused).toEqual({
          code: 409,
          reason: 'Conflict',
          message: 'Apply failed with 2 conflicts: conflicts with "one":\n- .data.a\n- .data.b',
          causes: [
            { field: '.data.a', reason: 'FieldManagerConflict', message: 'conflict with "one"' },
            { field: '.data.b', reason: 'FieldManagerConflict', message: 'conflict with "one"' },
          ],
        })
        const taken = await kube.apply(configMaps, map({ a: '2', c: '1' }), {
          namespace,
          fieldManager: 'two',
          force: true,
        })
        expect(taken.data).toEqual({ a: '2', b: '1', c: '1' })
        seen('owners', ownersOf(taken))
        const given = await kube.apply(configMaps, map({ b: '1' }), { namespace, fieldManager: 'one' })
        expect(given.data).toEqual({ a: '2', b: '1', c: '1' })
        seen('owners in the end', ownersOf(given))
        await kube.patch(configMaps, { namespace, name: 'm' }, { type: 'merge', body: { data: { b: '5' } } })
        const single = await refusal(kube.apply(configMaps, map({ b: '6' }), { namespace, fieldManager: 'one' }))
        expect(single).toMatchObject({ code: 409, reason: 'Conflict' })
        expect(single.message).toMatch(/^Apply failed with 1 conflict: conflict with "podyard" using v1/)
        seen('with a patcher', single.message.replace(/ at .*?Z/, ''))
      },
    },
    {
      title: 'who owns what after create, patch, PUT, status and scale writes',
      async run({ kube, namespace: ns, request, seen }) {
        const namespace = await ns()
        const at = { namespace, name: 'a' }
        const made = await kube.create(resources.pods, quietPod('a', { x: '1' }), { namespace })
        seen('created', ownersOf(made))
        const patched = await kube.patch(resources.pods, at, {
          type: 'merge',
          body: { metadata: { labels: { y: '1' }, annotations: { n: '1' }, finalizers: ['podyard.example/a'] } },
        })
        seen('patched', ownersOf(patched))
        const status = await kube.patch(
          resources.pods,
          at,
          { type: 'merge', body: { status: { message: 'told' } } },
          { subresource: 'status' },
        )
        seen('status', ownersOf(status))
        const path = `/api/v1/namespaces/${namespace}/configmaps`
        const named = (data: object) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm' }, data })
        await request('POST', `${path}?fieldManager=first`, named({ a: '1', b: '1' }))
        const put = await request('PUT', `${path}/m?fieldManager=second`, named({ a: '2', b: '1' }))
        expect(put.code).toBe(200)
        seen('put', ownersOf(put.json as KubernetesObject))
      },
    },
    {
      title: 'lists are merged by their keys: containers, ports, environment, conditions',
      async run({ kube, namespace: ns, seen }) {
        const namespace = await ns()
        const d = (containers: object[], more: object = {}) => ({
          metadata: { name: 'd' },
          spec: {
            replicas: 0,
            selector: { matchLabels: { app: 'd' } },
            template: { metadata: { labels: { app: 'd' } }, spec: { containers, ...more } },
          },
        })
        const apply = (object: object, fieldManager: string, force = false) =>
          kube.apply(resources.deployments, object as ReturnType<typeof deployment>, { namespace, fieldManager, force })
        const main = { name: 'main', image: 'a:1', env: [{ name: 'A', value: '1' }], ports: [{ containerPort: 80 }] }
        await apply(d([main, { name: 'side', image: 'b:1' }]), 'one')
        const more = await apply(
          d([{ name: 'main', image: 'a:1', env: [{ name: 'B', value: '2' }], ports: [{ containerPort: 81 }] }]),
          'two',
        )
        expect(more.spec?.template.spec?.containers.map(({ name }) => name)).toEqual(['main', 'side'])
        expect(more.spec?.template.spec?.containers[0]?.env?.map(({ name }) => name)).toEqual(['A', 'B'])
        seen('merged', [more.spec, ownersOf(more)])
        const less = await apply(d([{ name: 'main', image: 'a:1' }]), 'one')
        expect(less.spec?.template.spec?.containers).toHaveLength(1)
        expect(less.spec?.template.spec?.containers[0]?.env?.map(({ name }) => name)).toEqual(['B'])
        seen('less', [less.spec, ownersOf(less)])
      },
    },
    {
      title: '`dryRun` stores nothing; refusals in the same words',
      async run({ kube, namespace: ns, request, seen }) {
        const namespace = await ns()
        const map = { metadata: { name: 'm' }, data: { a: '1' } }
        const trial = await kube.apply(configMaps, map, { namespace, fieldManager: 'one', dryRun: true })
        expect(trial.data).toEqual({ a: '1' })
        expect(await refusal(kube.get(configMaps, { namespace, name: 'm' }))).toMatchObject({ code: 404 })
        const path = `/api/v1/namespaces/${namespace}/configmaps/m`
        const full = { apiVersion: 'v1', kind: 'ConfigMap', ...map }
        const send = async (what: string, query: string, body: unknown) => {
          const { code, json } = await request('PATCH', `${path}?${query}`, body, applyType)
          expect(code).toBeGreaterThanOrEqual(400)
          seen(what, { code, json })
        }
        await send('no manager', '', full)
        await send('other name', 'fieldManager=a', { ...full, metadata: { name: 'n' } })
        await send('other kind', 'fieldManager=a', { ...full, kind: 'Secret' })
        await send('no kind', 'fieldManager=a', { metadata: { name: 'm' } })
        await send('managed fields', 'fieldManager=a', { ...full, metadata: { name: 'm', managedFields: [{}] } })
        await send('wrong type', 'fieldManager=a', { ...full, data: 'text' })
        await send('unknown field', 'fieldManager=a', { ...full, unknown: 1 })
        for (const data of [5, [1, 'a'], { a: 5 }, { a: { b: 1 } }, { a: ['x', { y: true }] }])
          await send(JSON.stringify(data), 'fieldManager=a', { ...full, data })
        await send('a uid', 'fieldManager=a', { ...full, metadata: { name: 'm', uid: 'x' } })
        const stale = { metadata: { name: 'm', resourceVersion: '1' }, data: { a: '2' } }
        await kube.apply(configMaps, map, { namespace, fieldManager: 'one' })
        const old = await refusal(kube.apply(configMaps, stale, { namespace, fieldManager: 'one' }))
        expect(old).toMatchObject({ code: 409, reason: 'Conflict' })
        seen('stale', old)
        const odd = (template: object) => ({
          ...deployment('d', 1),
          spec: { ...deployment('d', 1).spec, replicas: 1, template },
        })
        for (const spec of [
          'x',
          { containers: 'x' },
          { containers: ['x'] },
          { nope: 1 },
          { containers: [{ name: 'a' }, { name: 'a' }] },
        ])
          seen(
            JSON.stringify(spec),
            await refusal(
              kube.apply(resources.deployments, odd({ spec }) as ReturnType<typeof deployment>, {
                namespace,
                fieldManager: 'a',
              }),
            ),
          )
        const wrong = { ...deployment('d', 1), spec: { ...deployment('d', 1).spec, replicas: -1 } }
        seen(
          'invalid',
          await refusal(
            kube.apply(resources.deployments, wrong as ReturnType<typeof deployment>, { namespace, fieldManager: 'a' }),
          ),
        )
      },
    },
  ],
}
