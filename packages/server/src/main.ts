import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Config, ConfigError, formatAddress, type LoadedConfig, loadConfig, maskUrl } from './config.ts'
import { AppError } from './errors.ts'
import { StartError } from './start-error.ts'

/**
 * The only file that reads the environment or ends the process (with the command line's own main). Everything below it
 * gets a Config.
 */

/** Exit codes: 0 stopped as asked, 1 could not start or failed, 2 the settings or the command line are wrong. */
export const exitCodes = { stopped: 0, failed: 1, usage: 2 } as const

/** Signals within this time are one: a Ctrl-C arrives from the terminal, from npm and from the start script. */
const oneSignalMs = 500
const stopLimitMs = 30_000

/** Settings from the flags given, the environment, the file and the defaults. Throws ConfigError. */
export function readConfig(flags: Readonly<Record<string, string | undefined>>): LoadedConfig {
  return loadConfig({
    flags,
    environment: process.env,
    readFile: (path) => readFileSync(path, 'utf8'),
    workingDirectory: process.cwd(),
    checkout: fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, ''),
    isRoot: process.getuid?.() === 0,
  })
}

/** Runs Podyard until a signal or a failure ends the process. */
export async function serve(flags: Readonly<Record<string, string | undefined>>): Promise<void> {
  const startedAt = performance.now()
  const stop = stopOnSignals()
  try {
    const { config, warnings } = readConfig(flags)
    for (const warning of warnings) tell(`warning: ${warning}`)
    const [{ createLogger }, { keepHeapSmall }] = await Promise.all([
      import('./telemetry/logger.ts'),
      import('./telemetry/heap.ts'),
    ])
    keepHeapSmall()
    const logger = createLogger({ level: config.logLevel })
    failOnUncaught(logger)
    // Node's and the libraries' warnings (deprecations, experiments) are the log's, not the person's who starts it.
    process.removeAllListeners('warning').on('warning', (warning) => logger.warn({ err: warning }, 'warning'))

    const { ensureAdminToken, lockDataDir, prepareDataDir } = await import('./store/data-dir.ts')
    await prepareDataDir(config.dataDir)
    // With everything elsewhere, replicas may share a data directory: it then holds the token and no more.
    if (config.databaseUrl === undefined || config.kubeconfig === undefined) await lockDataDir(config.dataDir)
    const made =
      config.access === 'token' && config.adminToken === undefined ? await ensureAdminToken(config.dataDir) : undefined

    const { startApp } = await import('./app.ts')
    const app = await startApp(made === undefined ? config : { ...config, adminToken: made.token }, {
      logger,
      environment: process.env,
    }).catch((error: unknown) => {
      // A defect has its place in the log; what somebody can do something about is told in one line below.
      if (error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError)
        logger.fatal({ err: error }, 'the start failed')
      throw explain(error, config)
    })
    stop.with(async () => {
      await app.stop()
    })
    if (!stop.isAsked()) tell(welcome(app.url, config, made?.path, performance.now() - startedAt))
  } catch (error) {
    fail(error)
  }
}

/** What a person sees who has just started it. Goes to stderr: stdout is the log's. */
function welcome(url: string, config: Config, tokenPath: string | undefined, ms: number): string {
  const isOpen = config.access === 'open'
  const token = tokenPath === undefined ? '$PODYARD_ADMIN_TOKEN' : `$(cat ${tokenPath})`
  const credentials = isOpen ? '' : ` -H "Authorization: Bearer ${token}"`
  const lines = [
    `podyard: listening on ${url} after ${(ms / 1000).toFixed(1)} s`,
    '',
    `  access     ${
      isOpen
        ? 'open: every request from this machine acts as admin'
        : `the admin token${tokenPath === undefined ? '' : `, which is in ${tokenPath}`}`
    }`,
    `  database   ${config.databaseUrl === undefined ? 'embedded' : maskUrl(config.databaseUrl)}`,
    `  cluster    ${config.kubeconfig ?? `simulated, ${config.simulatorNodes} nodes`}`,
    `  data       ${config.dataDir}`,
    `  API        ${url}/docs`,
    '',
    '  A pool of two warm pods, and how it is:',
    `    curl${credentials} ${url}/serverless/v1/podpools -d '{"pools":[{"id":"pool1","size":2,"image":"busybox:1.36","resources":{"requests":{"cpu":"100m"},"limits":{"cpu":"100m"}}}]}'`,
    `    curl${credentials} ${url}/serverless/v1/podpools`,
    '  One of its pods for you alone, and all that were ever handed out:',
    `    curl${credentials} ${url}/serverless/v1/instances -d '{"pool":"pool1"}'`,
    `    curl${credentials} ${url}/serverless/v1/instances`,
    '  A pod of somebody else in the inventory, and all pods of business 1:',
    `    curl${credentials} ${url}/api/v3/createmany/kube/pod -d '{"data":[{"bk_biz_id":1,"pods":[{"name":"mine","bk_host_id":1,"spec":{"bk_cluster_id":1,"bk_namespace_id":1,"bk_node_id":1,"ref":{"kind":"deployment","id":1}}}]}]}'`,
    `    curl${credentials} ${url}/api/v3/findmany/kube/pod -d '{"bk_biz_id":1,"page":{"start":0,"limit":10}}'`,
    '',
  ]
  return lines.join('\n')
}

/** Errors of a start that somebody can do something about, in one line each. Others are returned as they are. */
function explain(error: unknown, config: Config): unknown {
  const e = error as { code?: unknown; name?: string; message?: string; cause?: unknown; severity?: string }
  const database =
    config.databaseUrl === undefined ? 'the embedded database' : `the database ${maskUrl(config.databaseUrl)}`
  const listened = addressOf(error)
  if (listened !== undefined) {
    const flag = listened.port === config.listen.port ? '--listen' : '--simulator-listen'
    const reason =
      e.code === 'EADDRINUSE'
        ? `the address is in use; stop what uses it, or give another ${flag}`
        : e.code === 'EACCES'
          ? `permission denied; give another ${flag}`
          : e.code === 'EADDRNOTAVAIL'
            ? `this machine has no such address; give another ${flag}`
            : messageOf(error)
    return new StartError(`cannot listen on ${formatAddress(listened)}: ${reason}`, { cause: error })
  }
  if (e.code === 'ENOTFOUND' || e.code === 'EAI_AGAIN')
    return new StartError(`cannot find an address for a name: ${messageOf(error)}`, { cause: error })
  if (error instanceof AppError && error.family === 'storage')
    return new StartError(`cannot reach ${database}: ${messageOf(error.cause)}`, { cause: error })
  // PostgreSQL's own refusals (password, no such database): these errors carry a severity.
  if (e.severity !== undefined) return new StartError(`cannot use ${database}: ${messageOf(error)}`, { cause: error })
  return error
}

function addressOf(error: unknown): { host: string; port: number } | undefined {
  const { syscall, address, port } = error as { syscall?: string; address?: string; port?: number }
  return syscall === 'listen' && address !== undefined && port !== undefined ? { host: address, port } : undefined
}

/** A connection that failed at every address of a name has its reasons inside. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return messageOf(error.errors[0])
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] || 'unknown error'
}

/**
 * SIGINT, SIGTERM and SIGHUP stop Podyard. The first begins a bounded stop; one that comes more than 500 ms after it
 * ends the process at once (what was acknowledged is in the database, and the next start adopts the database).
 */
function stopOnSignals() {
  let askedAt: number | undefined
  let stopApp: (() => Promise<void>) | undefined

  const stopNow = async () => {
    if (stopApp === undefined) return endUnlessStarted()
    const limit = new AbortController()
    const late = delay(stopLimitMs, 'late' as const, { signal: limit.signal, ref: false }).catch(() => undefined)
    try {
      const outcome = await Promise.race([stopApp(), late])
      limit.abort()
      if (outcome === 'late') fail(new StartError(`not stopped after ${stopLimitMs / 1000} s: ending anyway`))
      process.exit(exitCodes.stopped)
    } catch (error) {
      fail(error)
    }
  }
  // A start that hangs (a database that does not answer) has nothing to stop yet.
  const endUnlessStarted = async () => {
    await delay(stopLimitMs, undefined, { ref: false })
    if (stopApp === undefined) fail(new StartError(`still starting after ${stopLimitMs / 1000} s: ending anyway`))
  }
  const onSignal = (signal: NodeJS.Signals) => {
    const now = performance.now()
    if (askedAt === undefined) {
      askedAt = now
      if (process.stderr.isTTY) tell('stopping; once more to end at once')
      void stopNow()
    } else if (now - askedAt > oneSignalMs) process.exit(128 + (signal === 'SIGINT' ? 2 : signal === 'SIGHUP' ? 1 : 15))
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
  return {
    isAsked: () => askedAt !== undefined,
    /** From here on there is something to stop. A signal that came during the start takes effect now. */
    with(work: () => Promise<void>) {
      stopApp = work
      if (askedAt !== undefined) void stopNow()
    },
  }
}

/** A defect: the log gets it whole, and whoever supervises the process starts it anew. */
function failOnUncaught(logger: { fatal(context: object, message: string): void }): void {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const)
    process.on(event, (error: unknown) => {
      logger.fatal({ err: error }, event === 'uncaughtException' ? 'uncaught error' : 'unhandled rejection')
      process.exit(exitCodes.failed)
    })
}

function fail(error: unknown): never {
  if (error instanceof ConfigError) {
    for (const problem of error.problems) tell(problem)
    process.exit(exitCodes.usage)
  }
  tell(messageOf(error))
  process.exit(exitCodes.failed)
}

function tell(text: string): void {
  process.stderr.write(`${text.includes('\n') ? text : `podyard: ${text}`}\n`)
}
