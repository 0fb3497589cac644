import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BodyError, parseJsonBody } from './json-body.ts'

const parse = (text: string, options = {}) => parseJsonBody(Buffer.from(text), options)

describe('parseJsonBody', () => {
  test('reads whatever JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value)
        let expected: unknown
        try {
          expected = parse(text)
        } catch (error) {
          // Only what is refused on purpose may fail.
          expect(error).toBeInstanceOf(BodyError)
          expect(text).toMatch(/\\u(0000|d[89a-f])|\d{16}|e\+/)
          return
        }
        expect(expected).toEqual(JSON.parse(text))
      }),
    )
  })

  test('an empty body is undefined', () => expect(parse('')).toBeUndefined())

  test.each([
    ['{"a":1}}', 'invalid JSON at line 1, column 8: unexpected text after the value'],
    ['{"a":1} {"b":2}', 'invalid JSON at line 1, column 9: unexpected text after the value'],
    ['{"a":}', 'invalid JSON at line 1, column 6: unexpected "}"'],
    ['{"a":1,\n "b":nul}', 'invalid JSON at line 2, column 6: unexpected "n"'],
    ['[1,]', 'invalid JSON at line 1, column 4: unexpected "]"'],
    ['{"a"', 'unexpected end of JSON input'],
    ['{"a', 'unexpected end of JSON input: a string is not closed at line 1, column 2'],
    ['[01]', 'invalid JSON at line 1, column 3: unexpected "1"'],
    ['["\\ud800"]', 'a string holds an unpaired surrogate at line 1, column 2'],
    ['["\\udc00x"]', 'a string holds an unpaired surrogate at line 1, column 2'],
    ['["a\\u0000"]', 'a string holds the character U+0000 at line 1, column 2'],
    ['[9007199254740993]', 'a number at line 1, column 2 is beyond 2^53 and would be rounded'],
    ['[1e400]', 'a number at line 1, column 2 is out of range'],
    ['{"a":[0,-1e309]}', 'a number at line 1, column 9 is out of range'],
    ['\ufeff{}', 'invalid JSON at line 1, column 1: unexpected "\ufeff"'],
  ])('%j is refused: %s', (text, message) => {
    const attempt = () => parse(text)
    expect(attempt).toThrow(BodyError)
    expect(attempt).toThrow(message)
  })

  test('a pair of surrogates and the largest exact integers pass', () =>
    expect(parse('["\\ud83d\\ude00", 9007199254740991, -9007199254740991, 0.125]')).toEqual([
      '😀',
      9007199254740991,
      -9007199254740991,
      0.125,
    ]))

  test('whole numbers with a fraction or an exponent, where asked', () => {
    for (const text of ['[1.0]', '[1e2]', '[1.5]'])
      expect(() => parse(text, { plainIntegers: true })).toThrow(
        'a number at line 1, column 2 is not written as an integer',
      )
    expect(parse('["v1.5", 3]', { plainIntegers: true })).toEqual(['v1.5', 3])
  })

  test('a number with an exponent is what it is: only digits that would be changed are refused', () =>
    expect(parse('[1e300, 1.5e20]')).toEqual([1e300, 1.5e20]))

  test('too deep, in a member that nobody reads too', () => {
    expect(() => parse(`{"x":${'['.repeat(1001)}${']'.repeat(1001)}}`)).toThrow('exceeded max depth')
    expect(parse(`["${'[\\"'.repeat(2000)}"]`)).toHaveLength(1)
  })

  test('bytes that are not UTF-8', () =>
    expect(() => parseJsonBody(Buffer.from([0x22, 0xff, 0x22]))).toThrow('the body is not valid UTF-8'))
})
