import { randomBytes } from 'node:crypto'
import { access, chmod, constants, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { fileProblem, StartError } from '../start-error.ts'
import { makeReachable } from './postgres-runtime.ts'

/** Makes the data directory, or says in one line why it cannot be used. */
export async function prepareDataDir(dataDir: string): Promise<void> {
  try {
    const isNew = await access(dataDir).then(
      () => false,
      () => true,
    )
    await makeReachable(dataDir)
    // As root the database's user has to pass through, others have no business here.
    if (isNew) await chmod(dataDir, process.getuid?.() === 0 ? 0o711 : 0o700)
    await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new StartError(`cannot use the data directory ${dataDir}: ${fileProblem(error)}`, { cause: error })
  }
}

export type DataDirLock = { release(): void }

// A lock that nothing refers to is collected, closed and thereby lost: these are held until they are released.
const held = new Set<DatabaseSync>()

/**
 * Makes this process the only Podyard on the data directory. The kernel holds the lock and drops it with the process,
 * however that ends; so a lock that is held means a living Podyard, and a PostgreSQL that is found running under a free
 * one is an orphan to adopt. Node has no flock: SQLite's exclusive transaction on an empty file is the same fcntl lock.
 * A file with a pid was rejected: a number may be reused, and two starters that both find it stale both take it over.
 */
export async function lockDataDir(dataDir: string): Promise<DataDirLock> {
  const { DatabaseSync } = await import('node:sqlite')
  const pidFile = join(dataDir, 'podyard.pid')
  let lock: DatabaseSync | undefined
  try {
    lock = new DatabaseSync(join(dataDir, 'podyard.lock'))
    lock.exec('pragma journal_mode = memory; begin exclusive')
  } catch (error) {
    lock?.close()
    const { errcode, message } = error as { errcode?: number; message: string }
    if (errcode !== 5) throw new StartError(`cannot lock the data directory ${dataDir}: ${message}`, { cause: error })
    const pid = (await readFile(pidFile, 'utf8').catch(() => '')).trim()
    throw new StartError(
      `another Podyard${/^\d+$/.test(pid) ? ` (process ${pid})` : ''} runs on the data directory ${dataDir}: stop it, or give another --data-dir`,
    )
  }
  // For people and for the text above; nothing is decided by it.
  await writeFile(pidFile, `${process.pid}\n`)
  const kept = lock
  held.add(kept)
  return {
    release() {
      held.delete(kept)
      kept.close()
    },
  }
}

export type AdminToken = { readonly token: string; readonly path: string; readonly made: boolean }

/** The token of the data directory, made at the first start: 256 random bits, readable by its owner only. */
export async function ensureAdminToken(dataDir: string): Promise<AdminToken> {
  const path = join(dataDir, 'admin-token')
  try {
    const token = randomBytes(32).toString('base64url')
    await writeFile(path, `${token}\n`, { flag: 'wx', mode: 0o600 })
    return { token, path, made: true }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
      throw new StartError(`cannot write ${path}: ${fileProblem(error)}`, { cause: error })
  }
  const token = await readFile(path, 'utf8').then(
    (text) => text.trim(),
    (error: unknown) => {
      throw new StartError(`cannot read ${path}: ${fileProblem(error)}`, { cause: error })
    },
  )
  if (!/^[!-~]{8,}$/.test(token))
    throw new StartError(`${path} holds no token: remove it to have one made, or set PODYARD_ADMIN_TOKEN`)
  await chmod(path, 0o600)
  return { token, path, made: false }
}
