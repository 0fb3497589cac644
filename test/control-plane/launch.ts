import { readFile, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { until } from './api.ts'
import { ControlPlaneError } from './control-plane-error.ts'
import { type Component, launch, logFile, runningPid } from './processes.ts'

/** Starts a component and waits until it is ready. Tells apart that its port is taken; any other early end is an error. */
export async function launchUntilReady(what: {
  readonly runDir: string
  readonly name: Component
  readonly program: string
  readonly args: readonly string[]
  readonly isReady: () => Promise<boolean>
  readonly signal?: AbortSignal | undefined
}): Promise<'ready' | 'port-taken'> {
  const { runDir, name } = what
  const log = logFile(runDir, name)
  const saidBefore = (await stat(log).catch(() => undefined))?.size ?? 0
  await launch(runDir, name, what.program, what.args)
  const ended = new ControlPlaneError(`${name} has ended instead of getting ready`)
  const check = () => {
    if (runningPid(runDir, name) === undefined) throw ended
  }
  try {
    await until(`${name} to be ready`, what.isReady, { limitMs: 120_000, check, signal: what.signal })
  } catch (error) {
    if (error !== ended) throw error
    const said = (await readFile(log)).subarray(saidBefore).toString('utf8')
    if (!said.includes('address already in use')) throw error
    return 'port-taken'
  }
  return 'ready'
}

/** A port of 127.0.0.1 that nobody has now. */
export function freePort(): Promise<number> {
  return new Promise((resolvePort, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolvePort(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
