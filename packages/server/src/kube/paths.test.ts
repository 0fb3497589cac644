import { describe, expect, test } from 'vitest'
import { collectionPath, objectPath } from './paths.ts'
import { resources } from './types.ts'

describe('paths', () => {
  test('core and grouped kinds, with and without a namespace', () => {
    expect(collectionPath(resources.pods)).toBe('/api/v1/pods')
    expect(collectionPath(resources.pods, 'a')).toBe('/api/v1/namespaces/a/pods')
    expect(collectionPath(resources.nodes, 'ignored')).toBe('/api/v1/nodes')
    expect(objectPath(resources.deployments, { namespace: 'a', name: 'b' }, 'scale')).toBe(
      '/apis/apps/v1/namespaces/a/deployments/b/scale',
    )
    expect(objectPath(resources.nodes, { name: 'n' })).toBe('/api/v1/nodes/n')
  })

  test('a name cannot leave its place in the path', () => {
    expect(objectPath(resources.nodes, { name: '../pods?x=1' })).toBe('/api/v1/nodes/..%2Fpods%3Fx%3D1')
    for (const name of ['', '.', '..']) {
      expect(() => objectPath(resources.nodes, { name })).toThrow('is not a name')
      expect(() => collectionPath(resources.pods, name)).toThrow('is not a namespace')
    }
    expect(() => objectPath(resources.pods, { name: 'a' })).toThrow('a Pod needs a namespace')
  })
})
