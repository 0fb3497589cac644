import { writeFileSync } from 'node:fs'
import { exitCodes, parseAddress } from '@podyard/server'
import { defaultDelays, startSimulator } from '@podyard/simulator'

/** The flags of `podyard simulate`, as typed. */
export type SimulateFlags = {
  readonly listen: string
  readonly kubeconfig?: string
  readonly journal?: string
  readonly namespace: string
  readonly nodes: string
  readonly scheduleMs?: string
  readonly pullMs?: string
  readonly readyMs?: string
  readonly terminateMs?: string
}

/** Runs the simulated cluster until a signal; its kubeconfig goes to the file given, else to stdout. */
export async function simulate(flags: SimulateFlags): Promise<void> {
  const address = parseAddress(flags.listen)
  if (address === undefined) return refuse(`--listen: "${flags.listen}" is not right; expected host:port or :port`)
  const numbers = new Map<string, number>()
  for (const [flag, text, least] of [
    ['nodes', flags.nodes, 1],
    ['schedule-ms', flags.scheduleMs, 0],
    ['pull-ms', flags.pullMs, 0],
    ['ready-ms', flags.readyMs, 0],
    ['terminate-ms', flags.terminateMs, 0],
  ] as const) {
    if (text === undefined) continue
    if (!/^\d{1,7}$/.test(text) || Number(text) < least)
      return refuse(`--${flag}: "${text}" is not right; expected a whole number from ${least}`)
    numbers.set(flag, Number(text))
  }
  try {
    const simulator = await startSimulator({
      host: address.host,
      port: address.port,
      nodes: numbers.get('nodes') ?? 3,
      namespace: flags.namespace,
      ...(flags.journal === undefined ? {} : { journal: flags.journal }),
      delays: {
        scheduleMs: numbers.get('schedule-ms') ?? defaultDelays.scheduleMs,
        pullMs: numbers.get('pull-ms') ?? defaultDelays.pullMs,
        readyMs: numbers.get('ready-ms') ?? defaultDelays.readyMs,
        terminateMs: numbers.get('terminate-ms') ?? defaultDelays.terminateMs,
      },
    })
    if (flags.kubeconfig === undefined) process.stdout.write(simulator.kubeconfig())
    else {
      writeFileSync(flags.kubeconfig, simulator.kubeconfig(), { mode: 0o600 })
      process.stderr.write(`podyard: kubectl --kubeconfig ${flags.kubeconfig} get nodes\n`)
    }
    process.stderr.write(`podyard: simulated cluster listening on ${simulator.url}\n`)
    let askedAt: number | undefined
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(signal, () => {
        // One Ctrl-C arrives up to three times (terminal, npm, start script); a later one means it.
        if (askedAt !== undefined && performance.now() - askedAt > 500) process.exit(exitCodes.failed)
        if (askedAt !== undefined) return
        askedAt = performance.now()
        void simulator.stop().finally(() => process.exit(exitCodes.stopped))
      })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    process.stderr.write(
      `podyard: ${code === 'EADDRINUSE' ? `cannot listen on ${flags.listen}: the address is in use` : message.split('\n')[0]}\n`,
    )
    process.exitCode = exitCodes.failed
  }
}

function refuse(problem: string): void {
  process.stderr.write(`podyard: ${problem}\n`)
  process.exitCode = exitCodes.usage
}
