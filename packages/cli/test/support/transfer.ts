import { Readable, Writable } from 'node:stream'
import { exportBusiness } from '../../src/transfer/export.ts'
import { importFile } from '../../src/transfer/import.ts'
import { finish, type TransferIo } from '../../src/transfer/transfer-command.ts'
import type { OnDuplicate } from '../../src/transfer/writer.ts'

export type Run = { readonly code: number; readonly stdout: string; readonly stderr: string }

/** A command in this process: what `podyard export` and `podyard import` do with the same flags. */
async function run(work: (io: TransferIo) => Promise<void>, stdin = ''): Promise<Run> {
  const text = { stdout: '', stderr: '' }
  const stdout = new Writable({
    write(chunk, _encoding, done) {
      text.stdout += String(chunk)
      done()
    },
  })
  const code = await finish(work, {
    stdin: Readable.from([Buffer.from(stdin)]),
    stdout,
    stderr: {
      write(chunk: string) {
        text.stderr += chunk
      },
    },
    environment: {},
    signal: new AbortController().signal,
  })
  return { code, ...text }
}

export const runExport = (server: string, biz: string, more: { output?: string; restart?: boolean } = {}) =>
  run((io) => exportBusiness({ server, biz, ...more }, io))

export type ImportOptions = {
  readonly biz?: string
  readonly onDuplicate?: OnDuplicate
  readonly dryRun?: boolean
  readonly verbose?: boolean
  readonly keepGoing?: boolean
  readonly restart?: boolean
}

/** `file` may be `-`, then `stdin` is the file. */
export const runImport = (server: string, file: string, options: ImportOptions = {}, stdin = '') =>
  run((io) => importFile(file, { server, onDuplicate: 'update', ...options }, io), stdin)
