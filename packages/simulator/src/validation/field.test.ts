import { expect, test } from 'vitest'
import { goQuote, invalid, invalidStatus, notSupported, required } from './field.ts'

test('strings are quoted as Go quotes them', () => {
  expect(goQuote('a"b\\c\n\t\u0001ü')).toBe('"a\\"b\\\\c\\n\\t\\x01ü"')
})

test('one cause stands alone, several in brackets, equal ones once', () => {
  const image = required('spec.containers[0].image')
  const name = invalid('metadata.name', 'X', 'no')
  expect(invalidStatus('apps', 'Deployment', 'x', [image]).message).toBe(
    'Deployment.apps "x" is invalid: spec.containers[0].image: Required value',
  )
  const several = invalidStatus('', 'Pod', 'x', [image, name, name])
  expect(several.message).toBe(
    'Pod "x" is invalid: [spec.containers[0].image: Required value, metadata.name: Invalid value: "X": no]',
  )
  expect(several.details?.causes).toHaveLength(3)
  expect(several.details).not.toHaveProperty('group')
})

test('values show as JSON, with what is supported beside them', () => {
  expect(invalid('a', { b: '<' }, 'no').message).toBe('Invalid value: {"b":"\\u003c"}: no')
  expect(invalid('a', undefined, 'no').message).toBe('Invalid value: null: no')
  expect(notSupported('a', 'x', ['y', 'z']).message).toBe('Unsupported value: "x": supported values: "y", "z"')
})
