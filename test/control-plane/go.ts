import { spawn, spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { ControlPlaneError } from './control-plane-error.ts'
import { isAtLeast } from './recipes.ts'

/** The first release that fetches, as a module, the newer toolchain that a go.mod asks for. */
const firstWithToolchains = '1.21'

/** A usable Go. */
export type Go = {
  readonly program: string
  readonly version: string
}

/**
 * The first usable Go on the PATH, else the one that install-go.sh leaves below `cacheDir`.
 *
 * @throws ControlPlaneError when there is none, with how to get one
 */
export function findGo(cacheDir: string, wantedFor: string): Go {
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== ''), goDir(cacheDir)]
  let tooOld: string | undefined
  for (const folder of folders) {
    const program = join(folder, 'go')
    const { stdout } = spawnSync(program, ['version'], { cwd: tmpdir(), encoding: 'utf8' })
    const version = /^go version go(\S+)/.exec(stdout ?? '')?.[1]
    if (version === undefined) continue
    if (isAtLeast(version, firstWithToolchains)) return { program, version }
    tooOld ??= version
  }
  const why = tooOld === undefined ? 'there is no go on the PATH' : `the one on the PATH is ${tooOld}`
  throw new ControlPlaneError(
    `Building ${wantedFor} needs Go ${firstWithToolchains} or later, and ${why}. ` +
      'Run test/control-plane/install-go.sh, or set KUBEBUILDER_ASSETS to a folder that holds the binaries.',
  )
}

/** Where install-go.sh puts the go command. */
export const goDir = (cacheDir: string) => join(cacheDir, 'go/bin')

export type GoRun = {
  readonly go: Go
  readonly cwd: string
  readonly args: readonly string[]
  /** What the module's go.mod asks for; an older Go is told to fetch it. */
  readonly wantedVersion: string
  readonly signal?: AbortSignal | undefined
  /** Called with each line that go prints: downloads, and at last errors. */
  readonly line: (text: string) => void
}

/** Runs go at low priority; rejects with the last lines of what it said when it fails. */
export async function runGo({ go, cwd, args, wantedVersion, signal, line }: GoRun): Promise<void> {
  signal?.throwIfAborted()
  const child = spawn('nice', ['-n', '15', go.program, ...args], {
    cwd,
    env: {
      ...process.env,
      CGO_ENABLED: '0',
      GOFLAGS: '-mod=readonly',
      GOWORK: 'off',
      // Debian's packages switch the fetching of toolchains off.
      ...(isAtLeast(go.version, wantedVersion) ? {} : { GOTOOLCHAIN: 'auto' }),
    },
    // A group of its own, so that an interrupt ends the compilers with it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const interrupt = () => {
    if (child.pid === undefined) return
    try {
      process.kill(-child.pid, 'SIGTERM')
    } catch {
      // it has ended by itself
    }
  }
  signal?.addEventListener('abort', interrupt, { once: true })
  let unfinished = ''
  let said: string[] = []
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (unfinished + chunk).split('\n')
      unfinished = lines.pop() ?? ''
      said = [...said, ...lines].slice(-12)
      lines.forEach(line)
    })
  const outcome = await new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, end) => resolve(code === 0 ? undefined : `ended with ${end ?? code}`))
  })
  signal?.removeEventListener('abort', interrupt)
  signal?.throwIfAborted()
  if (outcome !== undefined)
    throw new ControlPlaneError(`go ${args[0]} ${outcome}\n${[...said, unfinished].join('\n').trimEnd()}`)
}
