import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createSpecSharing } from './shared-specs.ts'

type Event = { readonly object: { readonly spec: object } }
const spec = { containers: [{ name: 'c', command: ['},"status":{', ',"spec":{'] }] }
const line = (name: string, more: object = spec) =>
  JSON.stringify({
    type: 'MODIFIED',
    object: { kind: 'Pod', metadata: { name }, spec: more, status: { phase: 'Running' } },
  })

test('pods with the same spec share it, and nobody can change it', () => {
  const parse = createSpecSharing()
  const [a, b, other] = [line('a'), line('b'), line('c', { nodeName: 'n' })].map((text) => parse(text) as Event)
  expect(a).toEqual(JSON.parse(line('a')))
  expect(b).toEqual(JSON.parse(line('b')))
  expect(other).toEqual(JSON.parse(line('c', { nodeName: 'n' })))
  expect(b?.object.spec).toBe(a?.object.spec)
  const { containers } = (a as { object: { spec: typeof spec } }).object.spec
  expect([containers, containers[0], containers[0]?.command].every((one) => Object.isFrozen(one))).toBe(true)
})

test('keeps so many specs and no more', () => {
  const parse = createSpecSharing(2)
  const specs = ['1', '2', '3', '1'].map((nodeName) => (parse(line('a', { nodeName })) as Event).object.spec)
  expect(specs[3]).toEqual(specs[0])
  expect(specs[3]).not.toBe(specs[0])
})

test('a spec that holds a spec and a status of its own is read as it is', () => {
  const parse = createSpecSharing()
  for (const text of [
    line('a', { template: { spec: { x: 1 }, status: { y: 2 } } }),
    JSON.stringify({ object: { metadata: { x: 1, spec: { a: {} }, status: { b: 1 } }, spec: { c: 1 }, status: {} } }),
    JSON.stringify({ object: { metadata: {}, status: { x: { y: 1, spec: { a: {} } } }, spec: { b: {} } } }),
    JSON.stringify({ object: { metadata: { x: 1, spec: { a: {} }, status: {} }, spec: null } }),
    JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '7' } } }),
  ])
    expect(parse(text)).toEqual(JSON.parse(text))
  expect(() => parse(line('a').slice(0, -1))).toThrow(SyntaxError)
})

test('whatever a line holds, what is read is what JSON says', () => {
  const parse = createSpecSharing(3)
  const word = fc.constantFrom('spec', 'status', 'metadata', 'a', '},"status":{', ',"spec":{')
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom(null, 1, 'x', '},"status":{', ',"spec":{'),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(word, tie('tree'), { maxKeys: 4 }),
    ),
  }))
  fc.assert(
    fc.property(fc.dictionary(word, tree, { maxKeys: 4 }), tree, tree, (object, one, other) => {
      const { spec: _, ...rest } = object
      for (const whole of [
        object,
        { ...rest, spec: one, status: other },
        { a: one, ...rest, spec: { a: other }, status: {} },
      ]) {
        const text = JSON.stringify({ type: 'ADDED', object: whole })
        expect(parse(text)).toEqual(JSON.parse(text))
      }
    }),
    { numRuns: 2_000 },
  )
})
