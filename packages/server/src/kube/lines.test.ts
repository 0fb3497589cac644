import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createLineSplitter } from './lines.ts'

/** Cuts the bytes of a text at the given places. */
function chunksOf(text: string, cuts: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text)
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return places.slice(1).map((place, index) => bytes.subarray(places[index], place))
}

describe('createLineSplitter', () => {
  test('gives whole lines however the bytes are cut, multi-byte characters included', () => {
    const line = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !text.includes('\n'))
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.nat(), { maxLength: 20 }), (lines, cuts) => {
        const splitter = createLineSplitter()
        const text = lines.map((each) => `${each}\n`).join('')
        const got = chunksOf(text, cuts).flatMap((chunk) => splitter.push(chunk))
        // Encoding replaces lone surrogates, so compare what the bytes say.
        expect(got).toEqual(lines.map((each) => Buffer.from(each).toString()))
        expect(splitter.rest()).toBe('')
      }),
    )
  })

  test('keeps a character together whose bytes arrive one by one', () => {
    const splitter = createLineSplitter()
    const got = [...Buffer.from('{"a":"池😀"}\n')].flatMap((byte) => splitter.push(Uint8Array.of(byte)))
    expect(got).toEqual(['{"a":"池😀"}'])
  })

  test('skips empty lines and tells what follows the last newline', () => {
    const splitter = createLineSplitter()
    expect(splitter.push(Buffer.from('\n\na\n\nb'))).toEqual(['a'])
    expect(splitter.rest()).toBe('b')
    expect(splitter.rest()).toBe('')
  })

  test('refuses a line without end', () => {
    const splitter = createLineSplitter(10)
    expect(splitter.push(Buffer.from('0123456789\n01234'))).toEqual(['0123456789'])
    expect(() => splitter.push(Buffer.from('567890'))).toThrow('longer than 10 bytes')
  })
})
