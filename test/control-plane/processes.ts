import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ControlPlaneError } from './control-plane-error.ts'

/**
 * Processes of a run folder: `<name>.pid` holds a process id and when that process started, so that a number which
 * belongs to somebody else by now is never signalled; `log/<name>.log` holds what it wrote.
 */
export type Component = 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler' | 'kwok'

/** In the order in which they are started. */
export const components: readonly Component[] = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kwok',
]

/** Whoever writes must go before whoever is written to: groups that end together, in this order. */
const endingOrder: readonly (readonly Component[])[] = [
  ['kwok', 'kube-scheduler', 'kube-controller-manager'],
  ['kube-apiserver'],
  ['etcd'],
]

export const logFile = (runDir: string, name: Component) => join(runDir, 'log', `${name}.log`)
const pidFile = (runDir: string, name: Component) => join(runDir, `${name}.pid`)

type Identity = { readonly start: string; readonly ended: boolean }

/** Which process has this number now. Of one that has ended but was not yet waited for, `ended` is true. */
function identify(pid: number): Identity | undefined {
  if (existsSync('/proc/self/stat')) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      // The command's name stands in brackets and may hold anything. State is the 3rd field, the start time the 22nd.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return { start: fields[19] ?? '', ended: fields[0] === 'Z' || fields[0] === 'X' }
    } catch {
      return undefined
    }
  }
  const { stdout } = spawnSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' })
  const [, state, start] = /^\s*(\S+)\s+(.+?)\s*$/.exec(stdout ?? '') ?? []
  return state === undefined || start === undefined ? undefined : { start, ended: state.startsWith('Z') }
}

/** The id of the component's process, while that very process runs. */
export function runningPid(runDir: string, name: Component): number | undefined {
  let text: string
  try {
    text = readFileSync(pidFile(runDir, name), 'utf8')
  } catch {
    return undefined
  }
  const [, digits, start] = /^(\d+) (.+)\n$/.exec(text) ?? []
  const pid = Number(digits)
  const now = digits === undefined ? undefined : identify(pid)
  return now !== undefined && !now.ended && now.start === start ? pid : undefined
}

/** Components of this run folder that run. */
export const runningComponents = (runDir: string) => components.filter((name) => runningPid(runDir, name) !== undefined)

/**
 * Starts a component in a session of its own: neither a Ctrl-C nor the end of this process reaches it.
 * Its environment is empty but for PATH and HOME, so that no setting of the caller's leaks in.
 */
export async function launch(runDir: string, name: Component, program: string, args: readonly string[]): Promise<void> {
  const log = openSync(logFile(runDir, name), 'a', 0o600)
  let child: ChildProcess
  try {
    child = spawn(program, args, {
      cwd: runDir,
      env: { PATH: process.env.PATH ?? '', HOME: runDir },
      detached: true,
      stdio: ['ignore', log, log],
    })
  } finally {
    closeSync(log)
  }
  const { pid } = child
  if (pid === undefined) {
    const error = await new Promise<Error>((resolve) => child.once('error', resolve))
    throw new ControlPlaneError(`${name} cannot be started: ${error.message}`)
  }
  // Nothing may be awaited up to here: whoever ends this process in between leaves one that nobody knows of.
  const draft = `${pidFile(runDir, name)}.draft`
  writeFileSync(draft, `${pid} ${identify(pid)?.start ?? ''}\n`)
  renameSync(draft, pidFile(runDir, name))
  child.on('error', () => {})
  child.unref()
}

/** Lets every other process go first where a machine has too much to do. Does nothing where the kernel does not know of it. */
export async function yieldToOthers(runDir: string): Promise<void> {
  for (const name of components) {
    const pid = runningPid(runDir, name)
    if (pid === undefined) continue
    try {
      // Each component is a session, and where sessions share the machine by turns, nice counts only within one.
      writeFileSync(`/proc/${pid}/autogroup`, String(constants.priority.PRIORITY_BELOW_NORMAL))
      // The kernel takes no more than ten of these a second.
      await delay(150)
    } catch {
      // A kernel without it; or the component has ended, which is found elsewhere.
    }
  }
}

/** Sends a signal to the component's process; false when it does not run. */
export function signalComponent(runDir: string, name: Component, signal: NodeJS.Signals): boolean {
  const pid = runningPid(runDir, name)
  if (pid === undefined) return false
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

/**
 * Ends these components and waits until they are gone: with SIGTERM, and with SIGKILL after `limitMs`; or at once, as a
 * crash would. A stopped (frozen) process is ended too.
 *
 * @returns what was running
 */
export async function endComponents(
  runDir: string,
  names: readonly Component[],
  options: { readonly signal?: 'SIGTERM' | 'SIGKILL'; readonly limitMs?: number } = {},
): Promise<readonly Component[]> {
  const running = names.filter((name) => signalComponent(runDir, name, options.signal ?? 'SIGTERM'))
  for (const name of running) signalComponent(runDir, name, 'SIGCONT')
  const killAt = performance.now() + (options.limitMs ?? 10_000)
  let left = running
  for (let killed = options.signal === 'SIGKILL'; left.length > 0; ) {
    await delay(20)
    left = left.filter((name) => runningPid(runDir, name) !== undefined)
    if (!killed && performance.now() > killAt) {
      for (const name of left) signalComponent(runDir, name, 'SIGKILL')
      killed = true
    } else if (killed && performance.now() > killAt + 60_000)
      throw new ControlPlaneError(`${left.join(', ')} of ${runDir} cannot be ended, not even with SIGKILL`)
  }
  for (const name of names) if (runningPid(runDir, name) === undefined) rmSync(pidFile(runDir, name), { force: true })
  return running
}

/** Ends whatever runs from this folder, writers first. Logs and data stay. */
export async function endAll(
  runDir: string,
  options: { readonly signal?: 'SIGTERM' | 'SIGKILL' } = {},
): Promise<readonly Component[]> {
  const ended: Component[] = []
  for (const group of endingOrder) ended.push(...(await endComponents(runDir, group, options)))
  return ended
}

/** The last lines of a component's log, at most 16 KiB of it. */
export async function logTail(runDir: string, name: Component, lines: number): Promise<string> {
  const file = await open(logFile(runDir, name)).catch(() => undefined)
  if (file === undefined) return ''
  try {
    const { size } = await file.stat()
    const length = Math.min(size, 16_384)
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length)
    return buffer.toString('utf8').trimEnd().split('\n').slice(-lines).join('\n')
  } finally {
    await file.close()
  }
}

/** The ends of all logs of a run folder, each under its name: what to show when a start fails. */
export async function logTails(runDir: string, lines: number): Promise<string> {
  const parts: string[] = []
  const written = existsSync(join(runDir, 'log')) ? readdirSync(join(runDir, 'log')) : []
  for (const name of components)
    if (written.includes(`${name}.log`)) {
      const tail = await logTail(runDir, name, lines)
      if (tail !== '') parts.push(`${name}:\n${tail.replace(/^/gm, '  ')}`)
    }
  return parts.join('\n')
}

/** Resident memory of the component's process in bytes, where the system tells (Linux). */
export function residentBytes(runDir: string, name: Component): number | undefined {
  const pid = runningPid(runDir, name)
  if (pid === undefined || !existsSync('/proc/self/status')) return undefined
  try {
    const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return kib === undefined ? undefined : Number(kib) * 1024
  } catch {
    return undefined
  }
}
