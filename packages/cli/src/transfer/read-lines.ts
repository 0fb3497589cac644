import { maxLineBytes } from './line.ts'
import { TransferProblem } from './problems.ts'

export type TextLine = {
  /** From 1. */
  readonly line: number
  readonly text: string
  readonly bytes: number
  /** Bytes of the file before this line, and up to and with it and its newline. */
  readonly start: number
  readonly end: number
}

/** The lines of a stream, empty ones left out, a chunk of it in memory at a time. `from`: what was read before. */
export async function* readLines(
  stream: AsyncIterable<Buffer | string>,
  from: { readonly line: number; readonly end: number } = { line: 0, end: 0 },
): AsyncGenerator<TextLine> {
  let { line, end } = from
  let pending: Buffer[] = []
  let pendingBytes = 0
  const take = (last: Buffer, newline: number): TextLine | undefined => {
    const bytes = pendingBytes + last.length
    const text = Buffer.concat([...pending, last])
      .toString()
      .trim()
    pending = []
    pendingBytes = 0
    const start = end
    line += 1
    end += bytes + newline
    return text === '' ? undefined : { line, text, bytes, start, end }
  }
  for await (const chunk of stream) {
    const data = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    let start = 0
    for (let at = data.indexOf(10); at >= 0; at = data.indexOf(10, start)) {
      const found = take(data.subarray(start, at), 1)
      if (found !== undefined) yield found
      start = at + 1
    }
    if (start === data.length) continue
    pending.push(data.subarray(start))
    pendingBytes += data.length - start
    if (pendingBytes > maxLineBytes)
      throw new TransferProblem(`line ${line + 1} is longer than ${maxLineBytes} bytes: this is no export of Podyard`)
  }
  const last = take(Buffer.alloc(0), 0)
  if (last !== undefined) yield last
}
