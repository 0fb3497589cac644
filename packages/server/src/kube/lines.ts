/** Cuts a stream of bytes into lines. */
export type LineSplitter = {
  /** The lines that this chunk completes, without their newline and without empty ones. */
  push(chunk: Uint8Array): string[]
  /** What came after the last newline; '' when nothing did. */
  rest(): string
}

/**
 * Works on bytes and decodes whole lines only, so a character whose bytes arrive in two chunks stays whole (in UTF-8 no
 * other character contains the byte of a newline).
 *
 * @param maxLineBytes a line longer than this throws: an API object is 1.5 MiB at most (etcd's limit on a request), and
 *   a stream that is not lines at all must not be gathered without end
 */
export function createLineSplitter(maxLineBytes = 16 * 1024 * 1024): LineSplitter {
  let pending: Buffer[] = []
  let pendingBytes = 0

  function keep(part: Buffer): void {
    if (part.length === 0) return
    pendingBytes += part.length
    if (pendingBytes > maxLineBytes) throw new Error(`a line is longer than ${maxLineBytes} bytes`)
    pending.push(part)
  }

  function take(): string {
    const [only] = pending
    const text = pending.length === 1 && only !== undefined ? only.toString('utf8') : Buffer.concat(pending).toString()
    pending = []
    pendingBytes = 0
    return text
  }

  return {
    push(chunk) {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
      const lines: string[] = []
      let from = 0
      for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a, from)) {
        keep(bytes.subarray(from, end))
        from = end + 1
        if (pendingBytes > 0) lines.push(take())
      }
      keep(bytes.subarray(from))
      return lines
    },
    rest: take,
  }
}
