import { expect } from 'vitest'
import { resources } from '../../../packages/server/src/kube/index.ts'
import type { Case } from './case.ts'
import { deployment } from './objects.ts'

/** kubectl's own patch: merged by the keys of lists' items, with directives. */
export const strategicMerge: Case = {
  title:
    'strategic merge patch: lists by their keys, `$patch`, `$retainKeys`, `$setElementOrder`, `$deleteFromPrimitiveList`',
  async run({ kube, namespace: ns, request, seen }) {
    const namespace = await ns()
    await kube.create(resources.deployments, deployment('d', 0), { namespace })
    const path = `/apis/apps/v1/namespaces/${namespace}/deployments/d`
    const patch = async (what: string, body: unknown) => {
      const { code, json } = await request('PATCH', path, body, 'application/strategic-merge-patch+json')
      const { kind, spec, metadata } = json as { kind: string; spec: unknown; metadata: Record<string, unknown> }
      const own = { labels: metadata.labels, finalizers: metadata.finalizers }
      seen(what, kind === 'Status' ? { code, json } : { code, spec, own })
      return code
    }
    const template = (spec: object) => ({ spec: { template: { spec } } })
    const containers = (...list: object[]) => template({ containers: list })
    const added = await patch(
      'a container',
      containers({ name: 'side', image: 'b:1', env: [{ name: 'A', value: '1' }] }),
    )
    expect(added).toBe(200)
    await patch('its environment', containers({ name: 'side', env: [{ name: 'B', value: '2' }] }))
    await patch('without one', containers({ name: 'side', env: [{ name: 'A', $patch: 'delete' }] }))
    const order = [{ name: 'side' }, { name: 'c' }]
    await patch('order', template({ '$setElementOrder/containers': order, containers: [{ name: 'c', image: 'c:1' }] }))
    await patch(
      'two more',
      containers({ name: 'z', image: 'z' }, { name: 'c', image: 'c:3' }, { name: 'y', image: 'y' }),
    )
    await patch('broken order', template({ '$setElementOrderX/containers': order }))
    await patch('replaced', containers({ $patch: 'replace' }, { name: 'c', image: 'c:2' }))
    await patch('a label', {
      metadata: { labels: { x: '1' }, finalizers: ['podyard.example/a', 'podyard.example/b'] },
    })
    await patch('less', {
      metadata: { labels: { x: null }, '$deleteFromPrimitiveList/finalizers': ['podyard.example/a'] },
    })
    await patch('strategy', { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } })
    await patch('volumes', template({ volumes: [{ name: 'v', emptyDir: {} }] }))
    await patch('no volume', template({ volumes: [{ name: 'v', $patch: 'delete' }] }))
    expect(await patch('no key', containers({ image: 'x' }))).toBeGreaterThanOrEqual(400)
    const wrong = ['x', 5, 1.5, true, { a: 1 }, [1], ['a'], [{ name: 5 }]]
    for (const value of wrong) await patch(`containers ${JSON.stringify(value)}`, template({ containers: value }))
    for (const value of ['x', 5, [1], { a: 5 }, { a: {} }])
      await patch(`labels ${JSON.stringify(value)}`, { metadata: { labels: value } })
    for (const value of ['x', true, [1], { a: 1 }, 1.5])
      await patch(`replicas ${JSON.stringify(value)}`, { spec: { replicas: value } })
    for (const value of [5, true, [1]])
      await patch(`type ${JSON.stringify(value)}`, { spec: { strategy: { type: value } } })
    for (const value of ['x', [1]]) await patch(`spec ${JSON.stringify(value)}`, { spec: value })
    for (const value of ['x', 5]) await patch(`paused ${JSON.stringify(value)}`, { spec: { paused: value } })
    for (const value of ['', '[]', '5', '"x"']) await patch(`body ${value}`, value)
    await patch('unknown directive', containers({ name: 'c', $patch: 'nope' }))
    await patch('broken', '{"a"')
  },
}
