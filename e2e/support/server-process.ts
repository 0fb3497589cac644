import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const checkout = fileURLToPath(new URL('../..', import.meta.url))
const main = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))
/** The start script's: with it a start takes half the time. */
const compileCache = fileURLToPath(new URL('../../.cache/compile', import.meta.url))

/** A real `podyard serve` in a process of its own. */
export type ServerProcess = {
  readonly url: string
  readonly child: ChildProcess
  /** What it wrote so far, both streams. */
  readonly output: () => string
  /** Ends it as Ctrl-C does and waits; resolves to its exit code. */
  stop(): Promise<number | null>
  /** SIGKILL: no goodbye. */
  kill(): Promise<void>
}

export type ServerProcessOptions = {
  readonly dataDir: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** As a newcomer starts it, through `npm start`; else the program itself, which is what a kill must hit. */
  readonly throughNpm?: boolean
}

/** Starts `podyard serve` and resolves when it says where it listens; rejects with its output when it ends before that. */
export async function startServerProcess(options: ServerProcessOptions): Promise<ServerProcess> {
  const flags = ['--listen', '127.0.0.1:0', '--data-dir', options.dataDir, ...(options.args ?? [])]
  const { child, output } =
    options.throughNpm === true
      ? launch('npm', ['start', '--silent', '--', ...flags], options.env)
      : spawnPodyard(['serve', ...flags], options.env)
  const url = await new Promise<string>((resolve, reject) => {
    const look = () => {
      const found = /(?:ready|listening) on (http:\/\/127\.0\.0\.1:\d+)/.exec(output())
      if (found?.[1] !== undefined) resolve(found[1])
    }
    child.stdout?.on('data', look)
    child.stderr?.on('data', look)
    child.once('exit', (code, signal) =>
      reject(new Error(`podyard serve ended with ${code ?? signal} before it listened:\n${output()}`)),
    )
  })
  const ended = () => (child.exitCode === null && child.signalCode === null ? once(child, 'exit') : Promise.resolve())
  return {
    url,
    child,
    output,
    async stop() {
      child.kill('SIGINT')
      await ended()
      return child.exitCode
    },
    async kill() {
      child.kill('SIGKILL')
      await ended()
    },
  }
}

/** Runs the `podyard` command on the Node that runs the tests. Settings of the caller's environment do not leak in. */
export function spawnPodyard(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return launch(process.execPath, [main, ...args], env)
}

function launch(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('PODYARD_'))
  const child = spawn(program, args, {
    cwd: checkout,
    env: { ...Object.fromEntries(inherited), NODE_COMPILE_CACHE: compileCache, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (chunk: string) => {
      text += chunk
    })
  }
  return { child, output: () => text }
}
