import { Readable } from 'node:stream'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { maxLineBytes } from './line.ts'
import { readLines, type TextLine } from './read-lines.ts'

async function collect(chunks: readonly Buffer[]): Promise<TextLine[]> {
  const found: TextLine[] = []
  for await (const line of readLines(Readable.from(chunks))) found.push(line)
  return found
}

/** The bytes in pieces of any size. */
function pieces(data: Buffer, sizes: readonly number[]): Buffer[] {
  const found: Buffer[] = []
  for (let at = 0, i = 0; at < data.length; i += 1) {
    const size = sizes[i % sizes.length] ?? 1
    found.push(data.subarray(at, at + size))
    at += size
  }
  return found
}

test('lines come out whole with their numbers and places, however the stream is cut', async () => {
  const line = fc.string({ unit: 'grapheme' }).map((text) => text.replace(/[\r\n]/g, ''))
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
      fc.boolean(),
      async (texts, sizes, endsWithNewline) => {
        const data = Buffer.from(texts.join('\n') + (endsWithNewline && texts.length > 0 ? '\n' : ''))
        const read = await collect(pieces(data, sizes))
        const expected = texts.map((text, i) => [i + 1, text.trim()]).filter(([, text]) => text !== '')
        expect(read.map(({ line: number, text }) => [number, text])).toEqual(expected)
        for (const { text, start, bytes, end } of read) {
          expect(
            data
              .subarray(start, start + bytes)
              .toString()
              .trim(),
          ).toBe(text)
          expect([start + bytes, start + bytes + 1]).toContain(end)
        }
      },
    ),
  )
})

test('goes on with the numbers and places of what was read before', async () => {
  const found: TextLine[] = []
  for await (const line of readLines(Readable.from([Buffer.from('c\nd')]), { line: 2, end: 100 })) found.push(line)
  expect(found).toEqual([
    { line: 3, text: 'c', bytes: 1, start: 100, end: 102 },
    { line: 4, text: 'd', bytes: 1, start: 102, end: 103 },
  ])
})

test('a line without an end is not kept in memory', async () => {
  const chunk = Buffer.alloc(1024 * 1024, 97)
  const chunks = Array.from({ length: maxLineBytes / chunk.length + 1 }, () => chunk)
  await expect(collect(chunks)).rejects.toThrow('line 1 is longer than')
})
