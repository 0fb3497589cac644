import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BodyError } from './json-body.ts'
import { parseServerlessBody, WrittenNumber } from './serverless-body.ts'

const parse = (text: string) => parseServerlessBody(Buffer.from(text))

test('numbers with a fraction or an exponent are told apart, wherever they stand', () => {
  expect(parse('[1, 1.0, -2e3, {"a": 1E-5, "b": "1.0"}]')).toEqual([
    1,
    new WrittenNumber('1.0'),
    new WrittenNumber('-2e3'),
    { a: new WrittenNumber('1E-5'), b: '1.0' },
  ])
})

test('nothing else changes', () => {
  // Without what every body is refused for: long integers, NUL.
  const plain = fc
    .jsonValue({ maxDepth: 4 })
    .map((value) => JSON.stringify(value))
    .filter((text) => !/\d(?:\.\d|e)|\d{16}|\\u0000/i.test(text))
  fc.assert(
    fc.property(plain, (text) => {
      expect(parse(text)).toEqual(JSON.parse(text))
    }),
  )
})

test('a member called __proto__ stays one', () => {
  expect(Object.keys(parse('{"__proto__": 1.5, "a": 1}') as object)).toEqual(['__proto__', 'a'])
})

test.each(['{', '[1.0', '{"a":9007199254740993}', '1 2'])('refused as every body is: %s', (text) => {
  expect(() => parse(text)).toThrow(BodyError)
})

test('an empty body is undefined', () => expect(parse('')).toBeUndefined())
