import { expect, test } from 'vitest'
import { matchesRequirements, matchesSelector } from './selector.ts'

const labels = { app: 'x', size: '5' }

test.each([
  ['In', ['x', 'y'], true],
  ['In', ['y'], false],
  ['NotIn', ['y'], true],
  ['NotIn', ['x'], false],
  ['Exists', [], true],
  ['DoesNotExist', [], false],
  ['Nope', [], false],
])('app %s %j', (operator, values, expected) => {
  expect(matchesRequirements([{ key: 'app', operator, values }], labels)).toBe(expected)
})

test.each([
  ['Gt', '4', true],
  ['Gt', '5', false],
  ['Lt', '6', true],
  ['Lt', 'six', false],
])('size %s %s', (operator, value, expected) => {
  expect(matchesRequirements([{ key: 'size', operator, values: [value] }], labels)).toBe(expected)
})

test('a label that is not there is not in any list, and differs from every value', () => {
  expect(matchesRequirements([{ key: 'none', operator: 'NotIn', values: ['x'] }], labels)).toBe(true)
  expect(matchesRequirements([{ key: 'none', operator: 'In', values: ['x'] }], labels)).toBe(false)
  expect(matchesRequirements([{ key: 'none', operator: 'Gt', values: ['1'] }], labels)).toBe(false)
  expect(matchesRequirements([{ key: 'constructor', operator: 'Exists' }], labels)).toBe(false)
})

test('no selector selects nothing, an empty one everything', () => {
  expect(matchesSelector(undefined, labels)).toBe(false)
  expect(matchesSelector({}, labels)).toBe(true)
  expect(matchesSelector({ matchLabels: { app: 'x' } }, labels)).toBe(true)
  expect(matchesSelector({ matchLabels: { app: 'y' } }, labels)).toBe(false)
  expect(matchesSelector({ matchLabels: { app: 'x' } })).toBe(false)
})
