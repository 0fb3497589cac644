import { execFile } from 'node:child_process'
import { chmod, chown, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { StartError } from '../start-error.ts'
import { removeDead } from './postgres-runtime.ts'
import type { ServerUser } from './postgres-user.ts'

const run = promisify(execFile)

/** What PostgreSQL's programs see of ours: nothing. No locale of the system is needed. */
export const environment = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }

/** Makes the cluster beside its place and renames it: a data directory is whole or absent, whoever is killed when. */
export async function ensureCluster(
  dataDir: string,
  options: { readonly runtime: string; readonly sync: boolean },
  user: ServerUser,
): Promise<void> {
  const found = await readdir(dataDir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  if (found.length > 0) return mustSuit(dataDir, found, options.runtime, user)
  await removeDead(dataDir)
  const draft = await mkdtemp(`${dataDir}.${process.pid}-`)
  try {
    await give(draft, user)
    const flags = [
      '-U',
      'podyard',
      '-A',
      'trust',
      '-E',
      'UTF8',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
    ]
    // Syncing costs 60 ms; without it a power cut soon after the first start would take the first rows with it.
    const sync = options.sync ? [] : ['--no-sync']
    await run(join(options.runtime, 'bin/initdb'), ['-D', draft, ...flags, ...sync, '--no-instructions'], {
      ...user,
      env: environment,
      cwd: '/',
    })
    await rename(draft, dataDir)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    const code = (error as NodeJS.ErrnoException).code
    // Another starter was quicker: its cluster is as good.
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return
    const said = (error as { stderr?: string }).stderr?.match(
      /initdb: error: (.*)|FATAL:\s+(.*)|(.*error while loading.*)/,
    )
    if (said === undefined) throw error
    const reason = said?.slice(1).find((text) => text !== undefined) ?? 'initdb failed'
    throw new StartError(`cannot make a database in ${dataDir}: ${reason}`, { cause: error })
  }
}

async function mustSuit(dataDir: string, found: readonly string[], runtime: string, user: ServerUser): Promise<void> {
  if (!found.includes('PG_VERSION') || !found.includes('global'))
    throw new StartError(`${dataDir} is not empty and holds no PostgreSQL data: remove it, or give another --data-dir`)
  const written = (await readFile(join(dataDir, 'PG_VERSION'), 'utf8')).trim()
  const { stdout } = await run(join(runtime, 'bin/postgres'), ['-V'], { ...user, env: environment, cwd: '/' })
  const ours = /\b(\d+)\.\d+/.exec(stdout)?.[1]
  if (written !== ours)
    throw new StartError(
      `${dataDir} was written by PostgreSQL ${written}, this Podyard brings ${ours}: start the Podyard that wrote it, or give another --data-dir`,
    )
}

/** Makes a folder the server's own. */
export async function give(folder: string, user: ServerUser): Promise<void> {
  await chmod(folder, 0o700)
  if (user.uid !== undefined && user.gid !== undefined) await chown(folder, user.uid, user.gid)
}
