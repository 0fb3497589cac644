import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { withoutManagedFieldsText } from './watch.ts'

const managedFields = [
  {
    manager: 'a ],"b" ]},"spec":{',
    operation: 'Update',
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:status': { 'f:conditions': { 'k:{"type":"Ready"}': { '.': {}, 'f:status': {} } } } },
    subresource: 'status',
  },
  { manager: 'b', operation: 'Apply', fieldsV1: {} },
]
const cut = (object: object) => JSON.parse(withoutManagedFieldsText(JSON.stringify(object))) as unknown
const lists = { ownerReferences: [{ name: 'o' }], finalizers: ['f'] }
const spec = { containers: [{ command: ['sh'] }], list: [{ x: ['y'] }] }

describe('managed fields are left out of a line', () => {
  test('where an API server writes them: last in metadata', () => {
    const metadata = { name: 'p', annotations: { a: '],"managedFields":[{' }, ...lists }
    for (const rest of [{ spec }, { data: { a: 'b' } }, { template: { metadata: lists, spec } }])
      expect(
        cut({ type: 'ADDED', object: { kind: 'Pod', metadata: { ...metadata, managedFields }, ...rest } }),
      ).toEqual({
        type: 'ADDED',
        object: { kind: 'Pod', metadata, ...rest },
      })
  })

  test('and stay where they are written otherwise, or nothing follows', () => {
    for (const object of [
      { metadata: { managedFields, name: 'p', ownerReferences: [{ name: 'o' }] }, spec },
      { metadata: { labels: {}, managedFields, ownerReferences: [{ name: 'o' }] }, spec },
      { metadata: { labels: {}, managedFields, name: 'p' }, spec },
      { metadata: { name: 'p', managedFields } },
      { metadata: { name: 'p', managedFields: [] }, spec },
    ])
      expect(cut({ type: 'ADDED', object })).toEqual({ type: 'ADDED', object })
  })

  test('whatever else the object holds: nothing but they goes', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), (metadata, value) => {
        const { managedFields: _, ...others } = metadata
        const object = { metadata: { ...others, managedFields }, spec: value, status: value }
        const found = cut({ type: 'ADDED', object }) as { object: { metadata: object } }
        const expected = { type: 'ADDED', object: { metadata: others, spec: value, status: value } }
        if ('managedFields' in found.object.metadata) expect(found).toEqual({ type: 'ADDED', object })
        else expect(found).toEqual(JSON.parse(JSON.stringify(expected)))
      }),
    )
  })
})
