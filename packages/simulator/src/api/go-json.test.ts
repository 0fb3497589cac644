import fc from 'fast-check'
import { expect, test } from 'vitest'
import { goJsonProblem } from './go-json.ts'

test("Go's words for broken JSON", () => {
  const cases: readonly (readonly [string, string])[] = [
    ['', 'unexpected end of JSON input'],
    ['{', 'unexpected end of JSON input'],
    ['{"a":1', 'unexpected end of JSON input'],
    ['[{]', "invalid character ']' looking for beginning of object key string"],
    ['{"a":1} x', "invalid character 'x' after top-level value"],
    ['x', "invalid character 'x' looking for beginning of value"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['{"a":1 "b"}', `invalid character '"' after object key:value pair`],
    ['[1 2]', "invalid character '2' after array element"],
    ['[1,]', "invalid character ']' looking for beginning of value"],
    ['nul1', "invalid character '1' in literal null (expecting 'l')"],
    ['-x', "invalid character 'x' in numeric literal"],
    ['1.x', "invalid character 'x' after decimal point in numeric literal"],
    ['1e', 'unexpected end of JSON input'],
    ['"\n"', String.raw`invalid character '\n' in string literal`],
    [String.raw`"\x"`, "invalid character 'x' in string escape code"],
    [String.raw`"\u12g4"`, String.raw`invalid character 'g' in \u hexadecimal character escape`],
    ['01', "invalid character '1' after top-level value"],
    ["'", String.raw`invalid character '\'' looking for beginning of value`],
  ]
  for (const [text, problem] of cases) expect(goJsonProblem(text), text).toBe(problem)
})

test('every text that JSON.parse refuses has a problem of its own words', () => {
  const tokens = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"a"',
    '1',
    '-',
    '.5',
    'e',
    'true',
    'nul',
    ' ',
    '\\',
    '"',
  )
  fc.assert(
    fc.property(fc.array(tokens, { maxLength: 12 }), (parts) => {
      const text = parts.join('')
      try {
        JSON.parse(text)
      } catch {
        expect(goJsonProblem(text)).toMatch(/^(unexpected end of JSON input|invalid character '.+' .+)$/)
      }
    }),
  )
})
