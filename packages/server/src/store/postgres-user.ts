import { readFile, stat } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { dirname, parse } from 'node:path'
import { StartError } from '../start-error.ts'

/** The user that PostgreSQL runs as; empty when it is our own. */
export type ServerUser = { readonly uid?: number; readonly gid?: number }

/**
 * PostgreSQL refuses to run as root. So root runs it as the owner of the data when there is some, else as `podyard`
 * where that user exists, else as `nobody` (whose files every other program that runs as nobody can read).
 */
export async function serverUser(dataDir: string): Promise<ServerUser> {
  const owner = await stat(dataDir).then(
    ({ uid, gid }) => ({ uid, gid }),
    () => undefined,
  )
  const own = process.getuid?.()
  if (own !== 0) {
    if (owner !== undefined && own !== undefined && owner.uid !== own)
      throw new StartError(
        `${dataDir} belongs to another user (uid ${owner.uid}): start Podyard as that user or as root, or give another --data-dir`,
      )
    mustHaveName()
    return {}
  }
  if (owner !== undefined && owner.uid !== 0) return owner
  const users = parseUsers(await readFile('/etc/passwd', 'utf8').catch(() => ''))
  const user = users.get('podyard') ?? users.get('nobody')
  if (user === undefined)
    throw new StartError(
      'PostgreSQL does not run as root, and /etc/passwd has neither a user podyard nor nobody: add one, or give --database-url',
    )
  return user
}

/** initdb looks up the name of its user: a bare number, as containers like to give, is not enough. */
function mustHaveName(): void {
  try {
    userInfo()
  } catch {
    throw new StartError(
      `PostgreSQL needs a user with a name, and uid ${process.getuid?.()} has no entry in /etc/passwd: add one, or give --database-url`,
    )
  }
}

function parseUsers(passwd: string): Map<string, { uid: number; gid: number }> {
  const users = new Map<string, { uid: number; gid: number }>()
  for (const line of passwd.split('\n')) {
    const [name, , uid, gid] = line.split(':')
    if (name !== undefined && /^\d+$/.test(uid ?? '') && /^\d+$/.test(gid ?? ''))
      users.set(name, { uid: Number(uid), gid: Number(gid) })
  }
  return users
}

/**
 * Fails naming the parent folder of `path` that the server's user may not enter. Looks at the permission bits only: an
 * access control list that says more is not seen.
 */
export async function mustReach(path: string, user: ServerUser): Promise<void> {
  if (user.uid === undefined || user.uid === 0) return
  const parents: string[] = []
  for (let at = dirname(path); ; at = dirname(at)) {
    parents.unshift(at)
    if (at === parse(at).root) break
  }
  for (const parent of parents) {
    const info = await stat(parent)
    const bit = info.uid === user.uid ? 0o100 : info.gid === user.gid ? 0o010 : 0o001
    if ((info.mode & bit) === 0)
      throw new StartError(
        `PostgreSQL runs as uid ${user.uid}, which may not enter ${parent} (mode ${(info.mode & 0o777).toString(8)}): give a --data-dir elsewhere, or allow it with chmod o+x ${parent}`,
      )
  }
}
