import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileProblem, StartError } from '../start-error.ts'
import { ensureCluster, environment, give } from './postgres-cluster.ts'
import { makeReachable } from './postgres-runtime.ts'
import { mustReach, type ServerUser, serverUser } from './postgres-user.ts'
import { isPostmasterOf, type PostmasterFile, readPostmasterFile, whoAnswers } from './postmaster.ts'

export { packageNative, packageVersion, prepareRuntime } from './postgres-runtime.ts'

/**
 * Runs the PostgreSQL that comes with Podyard: on a Unix socket only, in a session of its own (a Ctrl-C must not reach
 * it before Podyard has closed its connections), as another user when Podyard is root.
 *
 * It outlives a Podyard that was killed, and the next start adopts it, in 2 ms and with warm caches. A guard process
 * that stopped it after our death was considered and left out: a restart within the same second would adopt a server
 * that the guard is about to stop. The orphan holds no port, and ends by itself within a minute once its folder is
 * removed (PostgreSQL looks for its pid file). Tests that never start again have a guard of their own.
 */
export type Embedded = {
  /** What pg takes as `host`. */
  readonly socketDir: string
  readonly port: number
  /** It was running already, left by a Podyard that did not stop it. */
  readonly adopted: boolean
  readonly pid: number
  /** Resolves when it has ended without `stop`. */
  readonly ended: Promise<void>
  /** Fast shutdown; after 10 s an immediate one, which the next start recovers from. Never SIGKILL. */
  stop(): Promise<void>
}

export type EmbeddedOptions = {
  /** What `prepareRuntime` returned. */
  readonly runtime: string
  /** Server settings, such as `{ fsync: 'off' }`. */
  readonly settings?: Readonly<Record<string, string>>
  /** Where the socket is made; by default in the data directory, or in a temporary folder when that path is too long. */
  readonly socketDir?: string
  /**
   * Stop and start anew a server that was started with other binaries or settings, where it would be adopted. For the
   * one who knows that nobody else uses it: after an upgrade an orphan would otherwise live on as it was.
   */
  readonly replaceDifferent?: boolean
}

const port = 5432
// 107 on Linux, 103 on macOS; PostgreSQL refuses to start above.
const longestSocketPath = 103
const startLimitMs = 120_000

export async function startEmbedded(dataDir: string, options: EmbeddedOptions): Promise<Embedded> {
  try {
    const user = await serverUser(dataDir)
    await makeReachable(dirname(dataDir))
    await mustReach(dataDir, user)
    await mustReach(join(options.runtime, 'bin'), user)
    await ensureCluster(dataDir, { runtime: options.runtime, sync: options.settings?.fsync !== 'off' }, user)
    // Whoever loses against another starter, or meets a server that is just stopping, looks again.
    for (const end = Date.now() + startLimitMs; ; ) {
      const found = await adopt(dataDir, end)
      if (found.kind === 'running') {
        if (options.replaceDifferent !== true || (await isAsWanted(dataDir, options, found.server))) return found.server
        await found.server.stop()
        continue
      }
      const started = await launch(dataDir, options, user, found.stalePid, end)
      if (started !== undefined) return started
      if (Date.now() > end)
        throw new StartError(`PostgreSQL on ${dataDir} keeps starting and stopping: see ${dataDir}.log`)
      await delay(50)
    }
  } catch (error) {
    if (error instanceof StartError || (error as NodeJS.ErrnoException).code === undefined) throw error
    throw new StartError(`cannot use ${dataDir} for PostgreSQL: ${fileProblem(error)}`, { cause: error })
  }
}

type Found =
  | { readonly kind: 'running'; readonly server: Embedded }
  | { readonly kind: 'none'; readonly stalePid: number | undefined }

/** The server that already runs on this data directory, once it answers; or none, with the pid that a stale file names. */
async function adopt(dataDir: string, end: number): Promise<Found> {
  for (;;) {
    const file = await readPostmasterFile(dataDir)
    if (file === undefined) return { kind: 'none', stalePid: undefined }
    if (await isPostmasterOf(file.pid, dataDir)) {
      const answer = await whoAnswers(dataDir, file)
      if (answer === 'ours') return { kind: 'running', server: embedded(dataDir, file, undefined) }
      if (Date.now() > end)
        throw new StartError(
          `PostgreSQL (process ${file.pid}) runs on ${dataDir} and does not answer: see ${dataDir}.log`,
        )
      await delay(20)
    } else if ((await readPostmasterFile(dataDir))?.pid === file.pid) return { kind: 'none', stalePid: file.pid }
  }
}

/** Starts a server; undefined when another starter's holds the directory. */
async function launch(
  dataDir: string,
  options: EmbeddedOptions,
  user: ServerUser,
  stalePid: number | undefined,
  end: number,
): Promise<Embedded | undefined> {
  const socketDir = options.socketDir ?? (await chooseSocketDir(dataDir, user))
  const log = await openLog(`${dataDir}.log`)
  let child: ChildProcess
  try {
    const [program, ...args] = commandLine(dataDir, options, socketDir)
    child = spawn(program, args, {
      ...user,
      // The stale file's number may belong to a living process of the same user, at which PostgreSQL refuses to start.
      // `adopt` has seen that it is no server of this directory. Called a grandparent it is passed over, while the
      // check for surviving backends (through the file's shared memory key) is still made; removing the file loses that.
      env: { ...environment, ...(stalePid === undefined ? {} : { PG_GRANDPARENT_PID: String(stalePid) }) },
      cwd: '/',
      detached: true,
      stdio: ['ignore', log.file.fd, log.file.fd],
    })
  } finally {
    await log.file.close()
  }
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(`it ended with ${signal ?? code}`))
  })
  child.unref()
  let outcome: string | undefined
  void exited.then((how) => {
    outcome = how
  })
  for (;;) {
    const file = await readPostmasterFile(dataDir)
    if (file?.pid === child.pid && file?.status === 'ready') return embedded(dataDir, file, child)
    if (outcome !== undefined) {
      if (socketDir !== dataDir && options.socketDir === undefined)
        await rm(socketDir, { recursive: true, force: true })
      const said = (await readFile(`${dataDir}.log`, 'utf8').catch(() => '')).slice(log.start)
      if (/lock file "[^"]+" already exists/.test(said)) return undefined
      const reason = /(?:FATAL|PANIC):\s+(.*)/.exec(said)?.[1] ?? said.trim().split('\n').at(-1) ?? ''
      throw new StartError(`PostgreSQL did not start on ${dataDir}: ${reason || outcome} (see ${dataDir}.log)`)
    }
    if (Date.now() > end) {
      child.kill('SIGINT')
      throw new StartError(`PostgreSQL on ${dataDir} was not ready in ${startLimitMs / 1000} s: see ${dataDir}.log`)
    }
    await delay(5)
  }
}

function commandLine(dataDir: string, options: EmbeddedOptions, socketDir: string): [string, ...string[]] {
  const settings = { listen_addresses: '', unix_socket_permissions: '0700', ...options.settings }
  return [
    join(options.runtime, 'bin/postgres'),
    ...['-D', dataDir, '-k', socketDir, '-p', String(port)],
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ]
}

/** PostgreSQL keeps the command line that it was started with: `program "argument" ...`. */
async function isAsWanted(dataDir: string, options: EmbeddedOptions, server: Embedded): Promise<boolean> {
  const [program, ...args] = commandLine(dataDir, options, server.socketDir)
  const wanted = [program, ...args.map((arg) => `"${arg}"`)].join(' ')
  return (await readFile(join(dataDir, 'postmaster.opts'), 'utf8').catch(() => '')).trim() === wanted
}

async function chooseSocketDir(dataDir: string, user: ServerUser): Promise<string> {
  if (Buffer.byteLength(join(dataDir, `.s.PGSQL.${port}`)) <= longestSocketPath) return dataDir
  const folder = await mkdtemp(join(tmpdir(), 'podyard-socket-'))
  await give(folder, user)
  return folder
}

/** PostgreSQL's output goes to a file: a pipe would die with us and take the server along. One old file is kept. */
async function openLog(path: string) {
  const size = await stat(path).then(
    (info) => info.size,
    () => 0,
  )
  if (size > 1_000_000) await rename(path, `${path}.1`).catch(() => {})
  const file = await open(path, 'a', 0o600)
  return { file, start: (await readFile(path, 'utf8')).length }
}

function embedded(dataDir: string, file: PostmasterFile, child: ChildProcess | undefined): Embedded {
  let stopping: Promise<void> | undefined
  let ended = () => {}
  const endedUnasked = new Promise<void>((resolve) => {
    ended = () => {
      if (stopping === undefined) resolve()
    }
  })
  // A child tells; an adopted server has to be looked at.
  child?.once('exit', ended)
  const watch =
    child === undefined
      ? setInterval(() => void isPostmasterOf(file.pid, dataDir).then((runs) => runs || ended()), 1_000).unref()
      : undefined
  return {
    socketDir: file.socketDir,
    port: file.port,
    adopted: child === undefined,
    pid: file.pid,
    ended: endedUnasked,
    stop() {
      clearInterval(watch)
      stopping ??= stop(dataDir, file, child)
      return stopping
    },
  }
}

async function stop(dataDir: string, file: PostmasterFile, child: ChildProcess | undefined): Promise<void> {
  // The file goes last of all. The pid is no measure: an adopted server stays as a zombie for a second or two.
  const isGone = async () =>
    (await readPostmasterFile(dataDir))?.pid !== file.pid ||
    (child === undefined
      ? !(await isPostmasterOf(file.pid, dataDir))
      : child.exitCode !== null || child.signalCode !== null)
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    if (!(await isGone())) signalServer(file.pid, signal)
    for (const end = Date.now() + 10_000; Date.now() < end; await delay(5)) {
      if (!(await isGone())) continue
      if (file.socketDir !== dataDir && basename(file.socketDir).startsWith('podyard-socket-'))
        await rm(file.socketDir, { recursive: true, force: true })
      return
    }
  }
  throw new Error(`PostgreSQL (process ${file.pid}) on ${dataDir} did not stop`)
}

function signalServer(pid: number, signal: 'SIGINT' | 'SIGQUIT'): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
