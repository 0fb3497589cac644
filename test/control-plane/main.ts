/** `npm run control-plane -- up|down|status|build`: see `usage`. */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { openApi } from './api.ts'
import { defaultCacheDir, provideBinaries } from './binaries.ts'
import { files } from './command-lines.ts'
import { ControlPlaneError } from './control-plane-error.ts'
import { components, endAll, logFile, residentBytes, runningPid } from './processes.ts'
import { binaryNames } from './recipes.ts'
import { isRunDir, readState, withRunDirLock } from './run-dir.ts'
import { countReady, startControlPlane } from './start.ts'

const usage = `Usage: npm run control-plane -- <command> [options]

A real Kubernetes control plane on loopback: etcd, kube-apiserver, kube-controller-manager, kube-scheduler and KWOK, which
plays the kubelets.

  up       start it with an empty store; prints the path of its kubeconfig
  down     end what up has started; logs and data stay until the next up
  status   say what runs; exit code 1 unless all of it does
  build    only find or build the binaries (kubectl too), and say where they are

  --nodes N              how many nodes (3)
  --qps raised|default   request limits of controller manager and scheduler (raised: 500 and 1000 a second)
  --no-kwok              without KWOK: nodes stay NotReady, pods Pending
  --run-dir DIR          where data, logs and kubeconfig go (.cache/control-plane/run); another one, another control plane
  -h, --help             this text

Binaries come from the folder KUBEBUILDER_ASSETS, else from .cache/control-plane, else they are built there from Go modules
(11 minutes at first on two cores; needs Go 1.21 or later, see test/control-plane/README.md).

  KUBECONFIG=$(npm run --silent control-plane -- up --nodes 10) kubectl get nodes
`

const say = (line: string) => process.stderr.write(`${line}\n`)
const abort = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => abort.abort())

try {
  process.exitCode = await main()
} catch (error) {
  if (abort.signal.aborted) {
    say('interrupted; what had been started was ended')
    process.exitCode = 130
  } else if (error instanceof ControlPlaneError || (error instanceof Error && 'syscall' in error)) {
    say(error.message)
    process.exitCode = 1
  } else throw error
}

async function main(): Promise<number> {
  let parsed: ReturnType<typeof parse>
  try {
    parsed = parse()
  } catch (error) {
    say(`${error instanceof Error ? error.message : error}\n`)
    process.stderr.write(usage)
    return 2
  }
  const { command, help, runDir, ...options } = parsed
  if (help) {
    process.stdout.write(usage)
    return 0
  }
  switch (command) {
    case 'up': {
      const { kubeconfig } = await startControlPlane({
        ...options,
        runDir,
        guard: false,
        progress: say,
        signal: abort.signal,
      })
      process.stdout.write(`${kubeconfig}\n`)
      return 0
    }
    case 'down':
      return down(runDir)
    case 'status':
      return status(runDir)
    case 'build': {
      const binaries = await provideBinaries(binaryNames, { progress: say, signal: abort.signal })
      for (const [name, { path, from }] of Object.entries(binaries))
        process.stdout.write(`${name.padEnd(24)} ${path} (${from})\n`)
      return 0
    }
  }
}

function parse() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      nodes: { type: 'string', default: '3' },
      qps: { type: 'string', default: 'raised' },
      'no-kwok': { type: 'boolean', default: false },
      'run-dir': { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const [command, ...more] = positionals
  if (!values.help && (!isCommand(command) || more.length > 0))
    throw new Error(command === undefined ? 'Which command?' : `Not a command: ${positionals.join(' ')}`)
  if (!/^\d{1,5}$/.test(values.nodes)) throw new Error(`--nodes: "${values.nodes}" is no number of nodes`)
  const { qps } = values
  if (qps !== 'raised' && qps !== 'default') throw new Error(`--qps: "${qps}" is neither raised nor default`)
  return {
    command: command as Command,
    help: values.help,
    nodes: Number(values.nodes),
    qps,
    kwok: !values['no-kwok'],
    // npm runs scripts in the package's folder, whatever folder the command was typed in.
    runDir:
      values['run-dir'] === undefined
        ? resolve(defaultCacheDir, 'run')
        : resolve(process.env.INIT_CWD ?? '', values['run-dir']),
  } as const
}

type Command = 'up' | 'down' | 'status' | 'build'

function isCommand(word: string | undefined): word is Command {
  return word === 'up' || word === 'down' || word === 'status' || word === 'build'
}

async function down(runDir: string): Promise<number> {
  if (!(await isRunDir(runDir))) {
    say(`nothing was ever brought up in ${runDir}`)
    return 0
  }
  const ended = await withRunDirLock(runDir, { progress: say, signal: abort.signal }, () => endAll(runDir))
  say(ended.length === 0 ? `nothing runs from ${runDir}` : `ended ${ended.join(', ')}`)
  return 0
}

async function status(runDir: string): Promise<number> {
  const state = await readState(runDir)
  if (state === undefined) {
    say(`no control plane is up in ${runDir}`)
    return 1
  }
  let allRun = true
  for (const name of components) {
    if (name === 'kwok' && !state.kwok) continue
    const pid = runningPid(runDir, name)
    const bytes = residentBytes(runDir, name)
    const memory = bytes === undefined ? '' : `${Math.round(bytes / 2 ** 20)} MiB`
    const line = pid === undefined ? `does not run; log: ${logFile(runDir, name)}` : `pid ${pid}`.padEnd(14) + memory
    process.stdout.write(`${name.padEnd(24)} ${line}\n`)
    allRun &&= pid !== undefined
  }
  if (!allRun) return 1
  const api = openApi(state)
  try {
    const ready = await countReady(api)
    process.stdout.write(
      `${`${ready} of ${state.nodes} nodes Ready`.padEnd(24)} ${state.url}, limits of controller manager and scheduler: ${state.qps}\n`,
    )
  } catch (error) {
    say(`${state.url} does not answer: ${error instanceof Error ? error.message : error}`)
    return 1
  } finally {
    api.close()
  }
  process.stdout.write(`${files(runDir).kubeconfig}\n`)
  return 0
}
