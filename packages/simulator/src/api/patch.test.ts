import { expect, test } from 'vitest'
import { applyJsonPatch, applyMergePatch, parseJsonPatch } from './patch.ts'

test('merge patch: the examples of RFC 7386', () => {
  const cases: readonly (readonly [unknown, unknown, unknown])[] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ]
  for (const [document, patch, result] of cases) expect(applyMergePatch(document, patch)).toEqual(result)
})

const apply = (document: unknown, ...operations: readonly object[]) => applyJsonPatch(document, operations)
const refused = 'the server rejected our request due to an error in our request'

test('JSON patch: operations', () => {
  expect(apply({ a: 1 }, { op: 'add', path: '/b', value: 2 })).toEqual({ a: 1, b: 2 })
  expect(apply({ a: [1, 3] }, { op: 'add', path: '/a/1', value: 2 })).toEqual({ a: [1, 2, 3] })
  expect(apply({ a: [1] }, { op: 'add', path: '/a/-', value: 2 })).toEqual({ a: [1, 2] })
  expect(apply({ a: [1] }, { op: 'add', path: '/a/1', value: 2 })).toEqual({ a: [1, 2] })
  expect(apply({ a: [1, 2] }, { op: 'remove', path: '/a/0' })).toEqual({ a: [2] })
  expect(apply({ a: { b: 1 } }, { op: 'replace', path: '/a/b', value: 2 })).toEqual({ a: { b: 2 } })
  expect(apply({ a: { b: 1 } }, { op: 'move', from: '/a/b', path: '/c' })).toEqual({ a: {}, c: 1 })
  expect(apply({ a: { b: [1] } }, { op: 'copy', from: '/a', path: '/c' })).toEqual({ a: { b: [1] }, c: { b: [1] } })
  expect(apply({ 'a/b': { 'c~d': 1 } }, { op: 'remove', path: '/a~1b/c~0d' })).toEqual({ 'a/b': {} })
  expect(apply({ a: { b: 1 } }, { op: 'test', path: '/a', value: { b: 1 } })).toEqual({ a: { b: 1 } })
  expect(apply({ a: 1 }, { op: 'replace', path: '', value: { b: 2 } })).toEqual({ b: 2 })
})

test('JSON patch: the leniencies of the API server', () => {
  expect(apply({ data: {} }, { op: 'replace', path: '/data/new', value: 'x' })).toEqual({ data: { new: 'x' } })
  expect(apply({ data: {} }, { op: 'copy', from: '/data/none', path: '/data/to' })).toEqual({ data: { to: null } })
  expect(apply({ data: {} }, { op: 'add', path: '/data/to' })).toEqual({ data: { to: null } })
  expect(apply({ data: {} }, { op: 'add', path: 'data/to', value: 1 })).toEqual({ data: {}, to: 1 })
  expect(apply({ data: {} }, { op: 'test', path: '/data/none', value: null })).toEqual({ data: {} })
})

test('JSON patch: what does not apply is refused', () => {
  const cases: readonly object[] = [
    { op: 'test', path: '/a', value: 2 },
    { op: 'test', path: '/none/none', value: 2 },
    { op: 'remove', path: '/none' },
    { op: 'replace', path: '/none/x', value: 1 },
    { op: 'add', path: '/none/x', value: 1 },
    { op: 'add', path: '/list/5', value: 1 },
    { op: 'add', path: '/list/x', value: 1 },
    { op: 'replace', path: '/list/1', value: 1 },
    { op: 'remove', path: '/list/1' },
    { op: 'move', from: '/none', path: '/b' },
    { op: 'zap', path: '/a' },
    { op: 'add', value: 1 },
  ]
  for (const operation of cases) {
    expect(() => apply({ a: 1, list: [0] }, operation), JSON.stringify(operation)).toThrow(refused)
  }
})

test('patches never touch the given document or a prototype', () => {
  const document = { a: { b: [1] } }
  apply(document, { op: 'add', path: '/a/b/-', value: 2 }, { op: 'remove', path: '/a' })
  expect(document).toEqual({ a: { b: [1] } })
  const patched = apply({}, { op: 'add', path: '/__proto__', value: { polluted: true } }) as { polluted?: boolean }
  expect(patched.polluted).toBeUndefined()
  expect(Object.keys(patched)).toEqual(['__proto__'])
  expect(() => apply({}, { op: 'add', path: '/__proto__/polluted', value: true })).toThrow(refused)
  expect(() => apply({}, { op: 'add', path: '/constructor/polluted', value: true })).toThrow(refused)
})

test('a patch has at most 10,000 operations', () => {
  const body = JSON.stringify(Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/a', value: 1 })))
  expect(() => parseJsonPatch(body)).toThrow('The allowed maximum operations in a JSON patch is 10000, got 10001')
})
