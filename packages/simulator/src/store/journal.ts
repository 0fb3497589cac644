import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * An append-only file of JSON lines that outlives a killed process. Lines gather during one turn of the event loop and
 * go out in one write(2); whoever answers a client calls `flush` first, so that nothing acknowledged can be lost by a
 * kill. Nothing is synced per write: a power cut may lose the tail.
 */
export class Journal {
  readonly path: string
  readonly #compactAtBytes: number
  #fd: number | undefined
  #pending: string[] = []
  #rest: Buffer | undefined
  #scheduled = false
  #written = 0
  #snapshotBytes = 0
  #snapshot: () => Iterable<string> = () => []

  /** `compactAtBytes`: how much may be appended before the file is written anew. Default 64 MiB. */
  constructor(path: string, compactAtBytes = 64 * 1024 * 1024) {
    this.path = path
    this.#compactAtBytes = compactAtBytes
  }

  /**
   * The lines of an existing file, parsed, oldest first. A torn last line is left out; a broken line before it is an
   * error, since what follows would no longer fit what went before.
   */
  *read(): Generator<unknown> {
    if (!existsSync(this.path)) return
    const bytes = readFileSync(this.path)
    let start = 0
    for (let number = 1; start < bytes.length; number += 1) {
      const end = bytes.indexOf(10, start)
      if (end === -1) return
      let value: unknown
      try {
        value = JSON.parse(bytes.toString('utf8', start, end))
      } catch (error) {
        if (end === bytes.length - 1) return
        throw new Error(`${this.path}, line ${number}: not JSON (${(error as Error).message})`)
      }
      yield value
      start = end + 1
    }
  }

  /** Writes a new file of the snapshot's lines, puts it in the place of the old one, and appends to it from then on. */
  start(snapshot: () => Iterable<string>): void {
    this.#snapshot = snapshot
    this.#compact()
  }

  append(line: string): void {
    this.#pending.push(line)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      if (this.#fd === undefined) return
      try {
        this.flush()
      } catch {
        // The lines stay pending; whoever flushes before an answer hears of it.
      }
    })
  }

  /** Hands everything appended so far to the operating system. Throws when that fails; the lines stay pending then. */
  flush(): void {
    if (this.#pending.length === 0 && this.#rest === undefined) return
    if (this.#fd === undefined) throw new Error(`${this.path} is closed`)
    const lines = this.#pending.length === 0 ? '' : `${this.#pending.join('\n')}\n`
    const fresh = Buffer.from(lines)
    let rest = this.#rest === undefined ? fresh : Buffer.concat([this.#rest, fresh])
    this.#pending = []
    try {
      while (rest.length > 0) {
        const count = writeSync(this.#fd, rest)
        this.#written += count
        rest = rest.subarray(count)
      }
    } finally {
      // A write that failed half-way is taken up where it stopped, so that no line is torn in the middle of the file.
      this.#rest = rest.length > 0 ? rest : undefined
    }
    if (this.#written > Math.max(this.#compactAtBytes, 2 * this.#snapshotBytes)) this.#compact()
  }

  close(): void {
    if (this.#fd === undefined) return
    try {
      this.flush()
    } finally {
      closeSync(this.#fd)
      this.#fd = undefined
    }
  }

  #compact(): void {
    const folder = dirname(this.path)
    mkdirSync(folder, { recursive: true })
    const next = `${this.path}.new`
    const fd = openSync(next, 'w', 0o600)
    let size = 0
    let batch: string[] = []
    let batchLength = 0
    const put = () => {
      const bytes = Buffer.from(`${batch.join('\n')}\n`)
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
      size += bytes.length
      batch = []
      batchLength = 0
    }
    for (const line of this.#snapshot()) {
      batch.push(line)
      batchLength += line.length
      if (batchLength > 1024 * 1024) put()
    }
    if (batch.length > 0) put()
    fsyncSync(fd)
    renameSync(next, this.path)
    const folderFd = openSync(folder, 'r')
    fsyncSync(folderFd)
    closeSync(folderFd)
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = fd
    this.#pending = []
    this.#rest = undefined
    this.#written = 0
    this.#snapshotBytes = size
  }
}
