import fc from 'fast-check'

/**
 * What is written into the text of a body instead of the marker's quotes and itself: numbers that no JavaScript number
 * holds. See `toText`.
 */
const rawNumbers = ['1e400', '-1e400', '9007199254740993', '-9223372036854775809', '1e22', '1.0', '-0', '1E2', '0.1e1']
const raw = (text: string) => `@raw@${text}@`

/** A body as text. Members called `__proto__` are members, and the raw numbers are numbers. */
export const toText = (value: unknown): string => (JSON.stringify(value) ?? '').replace(/"@raw@([^@"]+)@"/g, '$1')

const oddTexts = [
  '',
  ' ',
  '0',
  '-1',
  '1e3',
  'null',
  '%',
  '%00',
  "'; drop table pod; --",
  '{}',
  '[',
  '$1',
  '\\',
  '(((((',
  'a{1,100000}',
  '\u0000',
  '\ud800',
  '\udc00x',
  '\u202e\u200b\ufeff',
  'é'.normalize('NFD'),
  '🐙👩‍👩‍👧‍👦',
  '\u001f\u007f\u0085',
  'İıſK',
  'x'.repeat(300),
  '字'.repeat(5_000),
  '9999-12-31T23:59:59.999Z',
  '292277026596-12-04 15:30:07',
  '-4713-01-01 00:00:00',
  '2026-02-30 25:61:61',
  '10.0.0.1',
  '999.1.1.1',
  '::1',
  '0:10.0.0.1',
  '999999999999999:10.0.0.1',
  'bk_biz_id,-name,id:-1',
]
const oddNumbers = [0, -0, 1, -1, 2, 2 ** 31 - 1, 2 ** 31, -(2 ** 31) - 1, 2 ** 53 - 1, -(2 ** 53) + 1, 1e-7, 1.5, 1e21]

export const oddText = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...oddTexts) },
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 10 }),
)

/** Text that a body may hold, however odd. */
export const storableText = oddText.filter((text) => !text.includes('\u0000') && text.isWellFormed())

const nested = (depth: number, around: '[' | '{') => {
  let value: unknown = 1
  for (let i = 0; i < depth; i += 1) value = around === '[' ? [value] : { a: value }
  return value
}

/** What stands where something else should. */
export const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(null, true, false) },
  { weight: 3, arbitrary: fc.constantFrom(...oddNumbers, ...rawNumbers.map(raw)) },
  { weight: 4, arbitrary: oddText },
  { weight: 2, arbitrary: fc.constantFrom<unknown>([], {}, [[]], [{}], [null], [1, 'a'], { a: {} }) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom(5, 60, 990), fc.constantFrom('[', '{')).map(([n, c]) => nested(n, c)),
  },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
)
