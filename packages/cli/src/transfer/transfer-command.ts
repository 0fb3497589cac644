import { readFile } from 'node:fs/promises'
import { Refusal, TransferProblem } from './problems.ts'
import type { Terminal } from './progress.ts'

/** Which server, and as whom. */
export type ConnectionFlags = {
  readonly server: string
  readonly tokenFile?: string
  /** `Name: value`, any number of them. */
  readonly header?: readonly string[]
}

/** What the commands stand on; tests bring their own. */
export type TransferIo = {
  readonly stdin: NodeJS.ReadableStream
  readonly stdout: NodeJS.WritableStream
  readonly stderr: Terminal
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Aborts when the user wants to stop. */
  readonly signal: AbortSignal
}

export async function connectionOf(
  flags: ConnectionFlags,
  io: TransferIo,
): Promise<{ server: string; token: string | undefined; headers: Record<string, string> }> {
  if (!/^https?:\/\/[^/]/.test(flags.server))
    throw new TransferProblem(`--server: "${flags.server}" is not right; expected such as http://127.0.0.1:8080`)
  const headers: Record<string, string> = {}
  for (const header of flags.header ?? []) {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):\s*(.*)$/s.exec(header) ?? []
    if (name === undefined || value === undefined)
      throw new TransferProblem(`--header: "${header.split(':')[0]}" is not right; expected "Name: value"`)
    headers[name.toLowerCase()] = value
  }
  let token = io.environment.PODYARD_ADMIN_TOKEN
  if (flags.tokenFile !== undefined)
    token = (
      await readFile(flags.tokenFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
        throw new TransferProblem(`cannot read ${flags.tokenFile} (${error.code})`)
      })
    ).trim()
  return { server: flags.server.replace(/\/+$/, ''), token: token === '' ? undefined : token, headers }
}

/** Runs a transfer until it is done, refused or interrupted. Returns the exit code. */
export async function runTransfer(work: (io: TransferIo) => Promise<void>): Promise<number> {
  const stop = new AbortController()
  const interrupt = () => stop.abort(new TransferProblem('interrupted; the same command goes on where it stopped'))
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, interrupt)
  // A reader that has enough (`head`) closes the pipe: no error of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(1)
    throw error
  })
  const { stdin, stdout, stderr, env } = process
  return finish(work, { stdin, stdout, stderr, environment: env, signal: stop.signal })
}

/** What went wrong is said in words; anything that is no fault of user or server is thrown. */
export async function finish(work: (io: TransferIo) => Promise<void>, io: TransferIo): Promise<number> {
  try {
    await work(io)
    return 0
  } catch (failure) {
    const error = io.signal.aborted ? io.signal.reason : failure
    if (error instanceof TransferProblem) io.stderr.write(`podyard: ${error.message}\n`)
    else if (error instanceof Refusal) io.stderr.write(`podyard: the server refused: ${error.words()}\n`)
    else throw error
    return io.signal.aborted ? 130 : 1
  }
}
