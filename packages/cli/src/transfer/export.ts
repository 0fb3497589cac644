import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { createApi } from './api.ts'
import { checkpointFile } from './checkpoint.ts'
import { Exporter, type ExportPlace, findBusiness } from './exporter.ts'
import { TransferProblem } from './problems.ts'
import { number, Progress } from './progress.ts'
import { type ConnectionFlags, connectionOf, type TransferIo } from './transfer-command.ts'

export type ExportFlags = ConnectionFlags & {
  readonly biz: string
  /** A file; absent: stdout. */
  readonly output?: string
  /** Begin anew although there is a checkpoint. */
  readonly restart?: boolean
}

type ExportState = {
  readonly server: string
  readonly business: number
  readonly place: ExportPlace
  /** What of the file is whole. */
  readonly bytes: number
  readonly counts: Readonly<Record<string, number>>
}

/** `podyard export`: writes a business to a file or to stdout. With a file, an export that was stopped is gone on with. */
export async function exportBusiness(flags: ExportFlags, io: TransferIo): Promise<void> {
  const connection = await connectionOf(flags, io)
  const progress = new Progress(io.stderr)
  const say = (text: string) => {
    progress.clear()
    io.stderr.write(`podyard: ${text}\n`)
  }
  const api = createApi({ ...connection, signal: io.signal, onRetry: (reason) => say(`${reason}; trying again`) })
  const business = await findBusiness(api, flags.biz)
  const checkpoint = flags.output === undefined ? undefined : checkpointFile<ExportState>(`${flags.output}.checkpoint`)
  const found = flags.restart === true ? undefined : await checkpoint?.read()
  const id = Number(business.bk_biz_id)
  if (found !== undefined && (found.server !== connection.server || found.business !== id))
    throw new TransferProblem(
      `${flags.output}.checkpoint is of another export (business ${found.business} of ${found.server}): give another --output, or --restart to begin anew`,
    )
  const sink = await openSink(flags.output, io, found?.bytes)
  try {
    if (found !== undefined) say(`going on after ${number(sum(found.counts))} rows; --restart begins anew`)
    const exporter = new Exporter(api, business)
    const total = await exporter.count()
    const counts: Record<string, number> = { ...found?.counts }
    for await (const { lines, next } of exporter.chunks(found?.place)) {
      let text = ''
      for (const line of lines) {
        text += `${JSON.stringify(line)}\n`
        if (line.type !== 'podyard-export') counts[line.type] = (counts[line.type] ?? 0) + 1
      }
      const bytes = await sink.write(text)
      if (next !== undefined)
        await checkpoint?.write({ server: connection.server, business: id, place: next, bytes, counts })
      const rows = sum(counts)
      progress.show(next?.section.replace(/^workload\//, '') ?? 'done', rows, total + 1, rows)
      io.signal.throwIfAborted()
    }
    await sink.write(`${JSON.stringify({ type: 'end', counts })}\n`)
    await sink.close()
    await checkpoint?.remove()
    say(`exported business ${business.bk_biz_name}: ${summary(counts)}`)
  } finally {
    progress.clear()
    await sink.close()
  }
}

const sum = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((all, one) => all + one, 0)

/** `2 clusters, 14,000 pods` */
export function summary(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).map(([type, count]) => `${number(count)} ${plural(type, count)}`)
  return parts.length === 0 ? 'nothing' : parts.join(', ')
}

const plural = (type: string, count: number) => (count === 1 ? type : type === 'business' ? 'businesses' : `${type}s`)

type Sink = {
  /** Resolves with the length of all that was written, once the reader has taken it. */
  write(text: string): Promise<number>
  close(): Promise<void>
}

async function openSink(path: string | undefined, io: TransferIo, bytes: number | undefined): Promise<Sink> {
  if (path === undefined)
    return {
      async write(text) {
        if (!io.stdout.write(text)) await once(io.stdout, 'drain', { signal: io.signal })
        return 0
      },
      async close() {},
    }
  const file = await open(path, bytes === undefined ? 'w' : 'r+').catch((error: NodeJS.ErrnoException) => {
    throw new TransferProblem(
      `cannot write ${path} (${error.code})${bytes === undefined ? '' : ': --restart begins anew'}`,
    )
  })
  let length = bytes ?? 0
  let isOpen = true
  if (bytes !== undefined) {
    if ((await file.stat()).size < bytes) {
      await file.close()
      throw new TransferProblem(`${path} is shorter than its checkpoint says: --restart begins anew`)
    }
    await file.truncate(bytes)
  }
  return {
    async write(text) {
      const data = Buffer.from(text)
      await file.write(data, 0, data.length, length)
      length += data.length
      return length
    },
    async close() {
      if (isOpen) await file.close()
      isOpen = false
    },
  }
}
