import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ControlPlaneError } from './control-plane-error.ts'
import { withLock } from './lock.ts'
import { runningComponents } from './processes.ts'

/**
 * What is known of a control plane, in `control-plane.json` of its run folder (mode 0600, since it holds tokens): written
 * when it is up, so that other processes can find it.
 */
export type State = {
  readonly url: string
  readonly etcdUrl: string
  /** PEM, base64: what to trust. */
  readonly caData: string
  /** Of the user `admin`, who may do everything and whom no fairness limits. */
  readonly token: string
  /** A user without any right until a RoleBinding or ClusterRoleBinding names them; both tokens are valid. */
  readonly user: { readonly name: string; readonly tokens: readonly [string, string] }
  readonly nodes: number
  readonly kwok: boolean
  readonly qps: string
  readonly apiServer: { readonly program: string; readonly args: readonly string[] }
  /** The folder is a throw-away one. */
  readonly temporary: boolean
}

/** Only folders with this file are ever emptied. */
const marker = '.podyard-control-plane'
const stateFile = 'control-plane.json'

export async function writeState(runDir: string, state: State): Promise<void> {
  const draft = join(runDir, `${stateFile}.draft`)
  await writeFile(draft, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 })
  await rename(draft, join(runDir, stateFile))
}

/** undefined when no control plane has come up in that folder. */
export async function readState(runDir: string): Promise<State | undefined> {
  const text = await readFile(join(runDir, stateFile), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as State)
}

/** Does the work while nobody else brings a control plane up or down in that folder. The folder must be one of ours. */
export function withRunDirLock<T>(
  runDir: string,
  options: { readonly progress: (line: string) => void; readonly signal?: AbortSignal | undefined },
  work: () => Promise<T>,
): Promise<T> {
  const waiting = () => options.progress(`another process is at work in ${runDir}; waiting for it`)
  return withLock(join(runDir, 'lock'), { waiting, signal: options.signal }, work)
}

/** Makes the folder one of ours, and refuses one that holds anything else. */
export async function claimRunDir(runDir: string): Promise<void> {
  if ([resolve('/'), homedir()].includes(resolve(runDir)))
    throw new ControlPlaneError(`${runDir} cannot be a run folder`)
  await mkdir(runDir, { recursive: true, mode: 0o700 })
  const entries = await readdir(runDir)
  if (entries.length > 0 && !entries.includes(marker))
    throw new ControlPlaneError(`${runDir} is not empty and no run folder of this program: choose another one`)
  await writeFile(join(runDir, marker), '')
}

export async function isRunDir(runDir: string): Promise<boolean> {
  const entries = await readdir(runDir).catch(() => [] as string[])
  return entries.includes(marker)
}

/** Removes what an earlier run left. Only under the lock; refuses while something runs from the folder. */
export async function emptyRunDir(runDir: string): Promise<void> {
  const running = runningComponents(runDir)
  if (running.length > 0)
    throw new ControlPlaneError(`${running.join(', ')} already run from ${runDir}: bring that one down first`)
  for (const entry of await readdir(runDir))
    if (entry !== marker && entry !== 'lock') await rm(join(runDir, entry), { recursive: true, force: true })
  for (const folder of ['log', 'cert']) await mkdir(join(runDir, folder), { mode: 0o700 })
}

/** Starts the process that ends everything when this one dies; the function returned lets it go without that. */
export function startGuard(runDir: string, temporary: boolean): () => Promise<void> {
  const script = fileURLToPath(new URL('guard.ts', import.meta.url))
  const guard: ChildProcess = spawn(process.execPath, [script, runDir, temporary ? 'remove' : 'keep'], {
    cwd: '/',
    env: {},
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  guard.on('error', () => {})
  guard.unref()
  const pipe = guard.stdin as Socket
  pipe.on('error', () => {})
  pipe.unref()
  return () =>
    new Promise((done) => {
      pipe.once('close', done)
      pipe.end('done', () => pipe.destroy())
    })
}
