import { execFile } from 'node:child_process'
import { readFile, realpath } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { isAlive } from './postgres-runtime.ts'

/** What `postmaster.pid` says; written by PostgreSQL while it starts and removed when it has stopped. */
export type PostmasterFile = {
  readonly pid: number
  readonly port: number
  readonly socketDir: string
  /** `starting`, `ready`, `stopping`, ... */
  readonly status: string
}

export async function readPostmasterFile(dataDir: string): Promise<PostmasterFile | undefined> {
  const text = await readFile(join(dataDir, 'postmaster.pid'), 'utf8').catch(() => '')
  const lines = text.split('\n')
  const pid = Number(lines[0])
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined
  return { pid, port: Number(lines[3]), socketDir: lines[4] ?? '', status: (lines[7] ?? '').trim() }
}

/**
 * `ours`: a connection showed a server of this very data directory. `silent`: none could be had (it may be starting,
 * stopping or gone). `other`: a server of another directory answered there.
 */
export async function whoAnswers(dataDir: string, file: PostmasterFile): Promise<'ours' | 'silent' | 'other'> {
  if (file.socketDir === '' || !(file.port > 0)) return 'silent'
  const client = new pg.Client({
    host: file.socketDir,
    port: file.port,
    user: 'podyard',
    database: 'postgres',
    connectionTimeoutMillis: 2_000,
    query_timeout: 2_000,
  })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query<{ dir: string }>(`select current_setting('data_directory') as dir`)
    const [shown, wanted] = await Promise.all([realpath(rows[0]?.dir ?? ''), realpath(dataDir)])
    return shown === wanted ? 'ours' : 'other'
  } catch {
    return 'silent'
  } finally {
    await client.end().catch(() => {})
  }
}

/**
 * Whether process `pid` is a postgres that was started for this data directory. A pid file alone lies: after a reboot
 * its number may be anybody's. When the system does not tell: true, which leaves the decision to PostgreSQL.
 */
export async function isPostmasterOf(pid: number, dataDir: string): Promise<boolean> {
  if (!isAlive(pid)) return false
  const args = await commandLine(pid)
  if (args === undefined) return true
  const wanted = await realpath(dataDir)
  const named = await Promise.all(args.slice(1).map((arg) => realpath(arg).catch(() => arg)))
  return basename(args[0] ?? '') === 'postgres' && named.includes(wanted)
}

async function commandLine(pid: number): Promise<readonly string[] | undefined> {
  try {
    if (process.platform === 'linux') {
      const text = await readFile(`/proc/${pid}/cmdline`, 'utf8')
      // A zombie's is empty: it runs no more.
      return text.split('\0')
    }
    const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', 'command=', '-p', String(pid)])
    return stdout.trim().split(' ')
  } catch {
    return isAlive(pid) ? undefined : []
  }
}
