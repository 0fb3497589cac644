import { describe, expect, test } from 'vitest'
import { applyStrategicPatch, goText, parseStrategicPatch } from './strategic-merge.ts'

const deployment = {
  metadata: { name: 'd', finalizers: ['a', 'b'], labels: { x: '1', y: '2' } },
  spec: {
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } },
    template: {
      spec: {
        containers: [
          { name: 'a', image: 'i', command: ['c', 'd'], env: [{ name: 'A', value: '1' }] },
          { name: 'b', image: 'j' },
          { name: 'c', image: 'k' },
        ],
        tolerations: [{ key: 'old' }],
      },
    },
  },
}

const patch = (body: object) => applyStrategicPatch(deployment, body as Record<string, unknown>, 'deployments')
const podSpec = (spec: object) => ({ spec: { template: { spec } } })
function containersAfter(spec: object): unknown {
  const patched = patch(podSpec(spec)) as typeof deployment
  return patched.spec.template.spec.containers
}

describe('lists', () => {
  test('items are merged by their key; a new one before a known one goes first', () => {
    const [first, , third] = deployment.spec.template.spec.containers
    const changes = [
      { name: 'n', image: 'z' },
      { name: 'b', image: 'j2' },
    ]
    expect(containersAfter({ containers: changes })).toEqual([
      { name: 'n', image: 'z' },
      first,
      { name: 'b', image: 'j2' },
      third,
    ])
  })

  test('orders as a kube-apiserver gives them', () => {
    const after = (containers: readonly object[], order?: readonly string[]) => {
      const named = order?.map((name) => ({ name }))
      const spec = { containers, ...(named === undefined ? {} : { '$setElementOrder/containers': named }) }
      return (containersAfter(spec) as { name: string }[]).map(({ name }) => name).join('')
    }
    expect(after([{ name: 'a' }, { name: 'm' }])).toBe('ambc')
    expect(after([{ $patch: 'delete', name: 'b' }, { name: 'q' }])).toBe('qac')
    expect(after([{ name: 'r' }], ['r', 'a', 'b', 'c'])).toBe('rabc')
    expect(after([{ name: 'r' }], ['c', 'a', 'r'])).toBe('bcar')
  })

  test('lists without a key are replaced, lists of scalars with one joined', () => {
    const patched = patch({
      metadata: { finalizers: ['b', 'c'] },
      ...podSpec({ tolerations: [{ key: 'new' }], containers: [{ name: 'a', command: ['e'] }] }),
    }) as typeof deployment
    expect(patched.metadata.finalizers).toEqual(['a', 'b', 'c'])
    expect(patched.spec.template.spec.tolerations).toEqual([{ key: 'new' }])
    expect(patched.spec.template.spec.containers[0]?.command).toEqual(['e'])
  })

  test('$patch deletes an item, or replaces the list', () => {
    expect(
      containersAfter({
        containers: [
          { $patch: 'delete', name: 'b' },
          { $patch: 'delete', name: 'none' },
        ],
      }),
    ).toEqual([deployment.spec.template.spec.containers[0], deployment.spec.template.spec.containers[2]])
    expect(containersAfter({ containers: [{ $patch: 'replace' }, { name: 'z', image: 'i' }] })).toEqual([
      { name: 'z', image: 'i' },
    ])
  })

  test('$setElementOrder orders what it names; others keep their place', () => {
    const order = [{ name: 'c' }, { name: 'a' }]
    const names = (containersAfter({ '$setElementOrder/containers': order }) as { name: string }[]).map(
      ({ name }) => name,
    )
    expect(names.indexOf('c')).toBeLessThan(names.indexOf('a'))
    expect(names.toSorted()).toEqual(['a', 'b', 'c'])
  })

  test('$deleteFromPrimitiveList', () => {
    const patched = patch({ metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } }) as typeof deployment
    expect(patched.metadata.finalizers).toEqual(['b'])
  })

  test('an item without its key is refused, unless the list is new', () => {
    expect(() => patch(podSpec({ containers: [{ image: 'k' }] }))).toThrow(
      'map: map[image:k] does not contain declared merge key: name',
    )
    expect(patch(podSpec({ initContainers: [{ image: 'k' }] }))).toMatchObject(
      podSpec({ initContainers: [{ image: 'k' }] }),
    )
  })
})

describe('maps', () => {
  test('null removes, $retainKeys keeps only what it names, $patch replaces or empties', () => {
    const patched = (body: object) => patch(body) as typeof deployment
    expect(patched({ metadata: { labels: { x: null, z: '3' } } }).metadata.labels).toEqual({ y: '2', z: '3' })
    const recreate = { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } }
    expect(patched(recreate).spec.strategy).toEqual({ type: 'Recreate' })
    expect(patched({ metadata: { labels: { $patch: 'replace', z: '3' } } }).metadata.labels).toEqual({ z: '3' })
    expect(patched({ metadata: { labels: { $patch: 'delete' } } }).metadata.labels).toEqual({})
    expect(() => patch({ metadata: { labels: { $patch: 'bogus' } } })).toThrow(
      'unknown patch type: bogus in map: map[$patch:bogus]',
    )
  })

  test('a member called __proto__ is a member', () => {
    const patched = patch(JSON.parse('{"metadata":{"labels":{"__proto__":{"x":"1"}}}}') as object) as typeof deployment
    expect(Object.getPrototypeOf(patched.metadata.labels)).toBe(Object.prototype)
  })
})

test('what Go prints', () => {
  expect(goText({ b: [1, 'x', null], a: { c: true } })).toBe('map[a:map[c:true] b:[1 x <nil>]]')
  expect(() => parseStrategicPatch('[1]')).toThrow(
    'json: cannot unmarshal array into Go value of type map[string]interface {}',
  )
})
