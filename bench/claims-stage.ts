import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { constants, setPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { type ServerProcess, spawnPodyard, startServerProcess } from '../e2e/support/server-process.ts'
import { migrate } from '../packages/server/src/store/migrate.ts'
import { provideDatabase } from '../packages/server/src/store/provide-database.ts'
import { startControlPlane } from '../test/control-plane/start.ts'
import { type Commits, startCommits } from './commits.ts'
import { createLoadClient, type LoadClient } from './load-client.ts'

/** A Podyard in a process of its own, the database that it writes to, and a generator that loads it. */
export type ClaimStage = {
  readonly http: LoadClient
  readonly sql: pg.Pool
  /** What commits take meanwhile. */
  readonly commits: Commits
  /** The sum of a counter of the server's, over all its labels that `suits`. */
  counter(name: string, suits?: (labels: string) => boolean): Promise<number>
}

const token = randomBytes(16).toString('hex')
const connections = 320

/** What pods come from: rows that the bench itself writes, or a cluster. */
export type Source = 'database' | 'simulator' | 'control plane'

/**
 * A pool template with nothing but the containers that every pool has: such pods cost a control plane less than those of the
 * built-in template, with its probes, variables and volumes.
 */
const leanTemplate = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'function-agent' },
  spec: {
    selector: { matchLabels: { app: 'function-agent' } },
    template: {
      metadata: { labels: { app: 'function-agent' } },
      spec: {
        automountServiceAccountToken: false,
        initContainers: [{ name: 'function-agent-init', image: 'function-agent-init:v1' }],
        containers: [
          { name: 'runtime-manager', image: 'runtime-manager:v1' },
          { name: 'function-agent', image: 'function-agent:v1' },
        ],
      },
    },
  },
}

export type StageOptions = {
  readonly progress: (line: string) => void
  /** Pools are copied from a template with bare containers. Default: from the built-in one. */
  readonly lean?: boolean
}

/**
 * Runs `work` on a stage of its own. With the source `database` no controller runs (the bench holds their lease), so that
 * nobody but the bench makes pods ready.
 */
export async function onClaimStage<T>(
  source: Source,
  { progress, lean = false }: StageOptions,
  work: (stage: ClaimStage) => Promise<T>,
): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'podyard-claims-'))
  await chmod(dir, 0o755)
  const ends: (() => Promise<unknown>)[] = [() => rm(dir, { recursive: true, force: true })]
  try {
    const database = await provideDatabase({ dataDir: dir, connections: 4, onIdleError: () => {} })
    ends.push(() => database.stop())
    await migrate(database.db)
    if (source === 'database')
      await database.db.query(
        `insert into lease (name, holder, epoch, expires_at) values ('controllers', 'the bench', 1, 'infinity')`,
      )
    const kubeconfig = await startCluster(source, dir, progress, ends)
    const template = join(dir, 'template.json')
    if (lean) await writeFile(template, JSON.stringify(leanTemplate))
    const server = await startServerProcess({
      dataDir: join(dir, 'server'),
      args: [
        ...['--log-level', 'warn', '--sync', 'off', '--kubeconfig', kubeconfig],
        ...(lean ? ['--pool-template', template] : []),
      ],
      env: {
        PODYARD_ADMIN_TOKEN: token,
        PODYARD_DATABASE_URL: `postgresql://podyard@localhost/podyard?host=${encodeURIComponent(join(dir, 'postgres'))}&port=5432`,
        ...(process.env.BENCH_SERVER_OPTIONS === undefined ? {} : { NODE_OPTIONS: process.env.BENCH_SERVER_OPTIONS }),
      },
    })
    ends.push(() => stopped(server))
    const connection = { host: join(dir, 'postgres'), port: 5432, user: 'podyard', database: 'podyard' }
    const sql = new pg.Pool({ ...connection, max: 3 })
    sql.on('error', () => {})
    ends.push(() => sql.end())
    const commits = await startCommits(connection)
    ends.push(() => commits.stop())
    const http = createLoadClient(server.url, connections, token)
    ends.push(async () => http.close())
    return await work({ http, sql, commits, counter: (name, suits) => readCounter(server.url, name, suits) })
  } finally {
    for (const end of ends.reverse()) await end().catch(() => {})
  }
}

async function stopped(server: ServerProcess): Promise<void> {
  await server.stop()
  if (process.env.BENCH_SERVER_OUTPUT !== undefined) process.stderr.write(server.output())
}

/** The kubeconfig of a cluster in processes of its own. */
async function startCluster(
  source: Source,
  dir: string,
  progress: (line: string) => void,
  ends: (() => Promise<unknown>)[],
): Promise<string> {
  if (source === 'control plane') {
    const controlPlane = await startControlPlane({ nodes: 10, progress, yields: true })
    ends.push(() => controlPlane.stop())
    return controlPlane.kubeconfig
  }
  const kubeconfig = join(dir, 'simulator.kubeconfig')
  const { child, output } = spawnPodyard([
    ...['simulate', '--listen', '127.0.0.1:0', '--kubeconfig', kubeconfig, '--nodes', '200'],
    ...['--schedule-ms', '5', '--pull-ms', '5', '--ready-ms', '5', '--terminate-ms', '5'],
  ])
  // As the control plane does: in earnest it is another machine's work.
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL)
  ends.push(
    () =>
      new Promise<void>((resolve) => {
        if (child.exitCode !== null) return resolve()
        child.once('exit', () => resolve())
        child.kill('SIGTERM')
      }),
  )
  await until(`the simulator listens: ${output()}`, async () => output().includes('listening on'))
  return kubeconfig
}

async function readCounter(url: string, name: string, suits: (labels: string) => boolean = () => true) {
  const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } })
  const text = await answer.text()
  let sum = 0
  for (const [, labels = '', value] of text.matchAll(new RegExp(`^${name}(\\{[^}]*\\})? (\\S+)$`, 'gm')))
    if (suits(labels)) sum += Number(value)
  return sum
}

/** Asks again until it suits; gives up after two minutes. */
export async function until(what: string, suits: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 120_000; !(await suits()); await delay(20))
    if (performance.now() > end) throw new Error(`gave up after 120 s: ${what}`)
}
