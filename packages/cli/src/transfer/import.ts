import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { createApi } from './api.ts'
import { checkpointFile } from './checkpoint.ts'
import { hashOf, Importer, type ImportState } from './importer.ts'
import { TransferProblem } from './problems.ts'
import { number, Progress } from './progress.ts'
import { readLines } from './read-lines.ts'
import { type ConnectionFlags, connectionOf, type TransferIo } from './transfer-command.ts'
import type { OnDuplicate } from './writer.ts'

export type ImportFlags = ConnectionFlags & {
  /** The business to import into; absent: the file's, by its name, made when it is not there. */
  readonly biz?: string
  readonly onDuplicate: OnDuplicate
  readonly dryRun?: boolean
  /** With a dry run: name each row that would change. */
  readonly verbose?: boolean
  /** Leave out lines that cannot be imported, and say which. */
  readonly keepGoing?: boolean
  readonly restart?: boolean
}

type Saved = ImportState & { readonly server: string }

/** `podyard import`: brings a file of `podyard export` into a Podyard. What was stopped is gone on with. */
export async function importFile(path: string, flags: ImportFlags, io: TransferIo): Promise<void> {
  const connection = await connectionOf(flags, io)
  const progress = new Progress(io.stderr)
  const say = (text: string) => {
    progress.clear()
    io.stderr.write(`podyard: ${text}\n`)
  }
  const isFile = path !== '-'
  const size = isFile ? await sizeOf(path) : 0
  const checkpoint = isFile && flags.dryRun !== true ? checkpointFile<Saved>(`${path}.import-checkpoint`) : undefined
  const saved = flags.restart === true ? undefined : await checkpoint?.read()
  if (saved !== undefined && (saved.server !== connection.server || !(await isOf(path, saved).catch(() => false))))
    throw new TransferProblem(
      `${path}.import-checkpoint is of another file or server (${saved.server}): --restart begins anew; what is there already is ${flags.onDuplicate === 'skip' ? 'left' : 'updated'}`,
    )
  if (saved !== undefined) say(`going on after line ${number(saved.line)}; --restart begins anew`)
  const api = createApi({ ...connection, signal: io.signal, onRetry: (reason) => say(`${reason}; trying again`) })
  const importer = new Importer({
    api,
    biz: flags.biz,
    onDuplicate: flags.onDuplicate,
    dryRun: flags.dryRun === true,
    onChange: (text) => {
      if (flags.verbose === true) {
        progress.clear()
        io.stdout.write(`${text}\n`)
      }
    },
    onBadLine: flags.keepGoing === true ? (line, what) => say(`${path}:${line}: ${what}`) : undefined,
    onWritten: async (state) => {
      await checkpoint?.write({ ...state, server: connection.server })
      progress.show(state.section, isFile ? state.end : 0, size, state.rows)
    },
    signal: io.signal,
  })
  try {
    const stream = isFile ? createReadStream(path, { start: saved?.end ?? 0 }) : (io.stdin as AsyncIterable<Buffer>)
    await importer.run(readLines(stream, saved), saved)
    await checkpoint?.remove()
    progress.clear()
    io.stdout.write(importer.report())
    if (importer.bad > 0)
      throw new TransferProblem(
        `${number(importer.bad)} ${importer.bad === 1 ? 'line was' : 'lines were'} left out: put them right and import the file again; what is there stays`,
      )
  } catch (error) {
    progress.clear()
    throw importer.explain(error, path)
  }
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    (found) => found.size,
    (error: NodeJS.ErrnoException) => {
      throw new TransferProblem(`cannot read ${path} (${error.code})`)
    },
  )
}

/** Whether the last line that was done is still where it was. What follows it may have been put right meanwhile. */
async function isOf(path: string, { last }: Saved): Promise<boolean> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(last.bytes), 0, last.bytes, last.start)
    return hashOf(buffer.subarray(0, bytesRead).toString().trim()) === last.hash
  } finally {
    await file.close()
  }
}
