import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

/** A `podyard` command in a process of its own. */
export type Podyard = {
  readonly child: ChildProcess
  readonly stdout: () => string
  readonly stderr: () => string
  /** Its exit code (128 and more: killed by a signal), once it has ended and all that it wrote has been read. */
  readonly ended: Promise<number>
}

export type PodyardOptions = {
  readonly env?: Readonly<Record<string, string>>
  readonly uid?: number
  /** What it reads from stdin; without it stdin is closed. */
  readonly stdin?: Uint8Array
}

const running = new Set<ChildProcess>()

/** Starts `podyard` on the Node that runs the tests; settings of the caller's environment do not leak in. */
export function podyard(args: readonly string[], options: PodyardOptions = {}): Podyard {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('PODYARD_'))
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...Object.fromEntries(inherited), ...options.env },
    stdio: [options.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  })
  running.add(child)
  if (options.stdin !== undefined) child.stdin?.end(options.stdin)
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
      text[name] += chunk
    })
  const ended = once(child, 'close').then(([code]) => {
    running.delete(child)
    return (code as number | null) ?? 128
  })
  return { child, stdout: () => text.stdout, stderr: () => text.stderr, ended }
}

/** `podyard serve` on a free port; resolves with its address once it listens. */
export async function serve(args: readonly string[], options: PodyardOptions = {}): Promise<Podyard & { url: string }> {
  const server = podyard(['serve', '--listen', '127.0.0.1:0', ...args], options)
  const url = await new Promise<string>((resolve, reject) => {
    server.child.stderr?.on('data', () => {
      const found = /listening on (http:\/\/\S+)/.exec(server.stderr())?.[1]
      if (found !== undefined) resolve(found)
    })
    void server.ended.then((code) => reject(new Error(`ended with ${code}:\n${server.stdout()}${server.stderr()}`)))
  })
  return { ...server, url }
}

/** Asks whatever still runs to stop, and waits. */
export async function stopAll(): Promise<void> {
  await Promise.all(
    [...running].map((child) => {
      child.kill('SIGTERM')
      return once(child, 'close')
    }),
  )
}
