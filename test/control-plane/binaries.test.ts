import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { until } from './api.ts'
import { provideBinaries } from './binaries.ts'

let dir: string
const path = process.env.PATH ?? ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'podyard-binaries-'))
})
afterEach(async () => {
  process.env.PATH = path
  await rm(dir, { recursive: true, force: true })
})

/** A `go` that notes each build, then does what the lines say; `$out` is the file that is wanted. */
async function putGo(version: string, lines: string): Promise<void> {
  const bin = join(dir, 'bin')
  await mkdir(bin, { recursive: true })
  const text = `#!/bin/sh
if [ "$1" = version ]; then echo "go version go${version} linux/amd64"; exit; fi
for word; do case $last in -o) out=$word;; esac; last=$word; done
echo "$last toolchain=$GOTOOLCHAIN" >> ${dir}/builds
${lines}
`
  await writeFile(join(bin, 'go'), text)
  await chmod(join(bin, 'go'), 0o755)
  process.env.PATH = `${bin}:${path}`
}
const works = 'echo "#!/bin/sh" > "$out" && chmod +x "$out"'
const options = () => ({ assets: '', cacheDir: join(dir, 'cache') })
const builds = async () => (await readFile(join(dir, 'builds'), 'utf8')).trim().split('\n')
/** Whatever is in the cache: files of modules' folders. */
const cached = async () => {
  const entries = await readdir(options().cacheDir, { recursive: true, withFileTypes: true })
  return entries.filter((one) => one.isFile() && one.name !== 'build.lock').map(({ name }) => name)
}

describe('a binary that is found nowhere', () => {
  test('is built once, then comes from the cache', async () => {
    await putGo('1.30.0', works)
    const first = await provideBinaries(['etcd', 'kwok'], options())
    expect([first.etcd.from, first.kwok.from]).toEqual(['build', 'build'])
    const second = await provideBinaries(['kwok', 'etcd'], options())
    expect(second.etcd).toEqual({ path: first.etcd.path, from: 'cache' })
    expect(await builds()).toEqual(['go.etcd.io/etcd/server/v3 toolchain=', 'sigs.k8s.io/kwok/cmd/kwok toolchain='])
  })

  test('is built once when two ask at once', async () => {
    await putGo('1.30.0', `sleep 0.3; ${works}`)
    const said: string[] = []
    const progress = (line: string) => void said.push(line)
    const [one, other] = await Promise.all([
      provideBinaries(['etcd'], { ...options(), progress }),
      provideBinaries(['etcd'], { ...options(), progress }),
    ])
    expect([one.etcd.from, other.etcd.from].sort()).toEqual(['build', 'cache'])
    expect(said).toContain('another process is building; waiting for it')
    expect(await builds()).toHaveLength(1)
  })

  test('is not there when its build fails, and the error holds what go said', async () => {
    await putGo('1.30.0', 'echo half > "$out"; echo "undefined: gopher" >&2; exit 2')
    await expect(provideBinaries(['etcd'], options())).rejects.toThrow(/go build ended with 2\n.*undefined: gopher/)
    expect(await cached()).toEqual([])
  })

  test('is not there when its build is interrupted, and the compiler ends', async () => {
    await putGo('1.30.0', `echo half > "$out"; sleep 300 & echo $! > ${dir}/compiler; wait`)
    const abort = new AbortController()
    const building = provideBinaries(['etcd'], { ...options(), signal: abort.signal })
    const outcome = expect(building).rejects.toThrow(/abort/)
    let compiler = 0
    await until(
      'the build to run',
      async () => {
        compiler = Number(await readFile(join(dir, 'compiler'), 'utf8'))
        return compiler > 0
      },
      { limitMs: 20_000 },
    )
    abort.abort()
    await outcome
    expect(await cached()).toEqual([])
    await until('the compiler to end', () => !isAlive(compiler), { limitMs: 20_000 })
  })
})

test('binaries of KUBEBUILDER_ASSETS come first; only what it lacks is looked for further', async () => {
  await putGo('1.30.0', works)
  const assets = join(dir, 'assets')
  await mkdir(assets)
  for (const [name, mode] of [
    ['etcd', 0o755],
    ['kwok', 0o644],
  ] as const) {
    await writeFile(join(assets, name), '#!/bin/sh\n')
    await chmod(join(assets, name), mode)
  }
  const found = await provideBinaries(['etcd', 'kwok'], { ...options(), assets })
  expect(found.etcd).toEqual({ path: join(assets, 'etcd'), from: 'KUBEBUILDER_ASSETS' })
  // A file that is no program does not count.
  expect(found.kwok.from).toBe('build')
})

describe('Go', () => {
  test('that is older than go.mod asks for is told to fetch that version', async () => {
    await putGo('1.21.0', works)
    await provideBinaries(['etcd'], options())
    expect(await builds()).toEqual(['go.etcd.io/etcd/server/v3 toolchain=auto'])
  })

  test('that cannot fetch others is no use; the error is one line that says what to do', async () => {
    await putGo('1.19.8', works)
    process.env.PATH = join(dir, 'bin')
    await expect(provideBinaries(['etcd', 'kwok'], options())).rejects.toThrow(
      /^Building etcd, kwok needs Go 1\.21 or later, and the one on the PATH is 1\.19\.8\. Run .*install-go\.sh.*$/,
    )
  })

  test('that is missing is not needed when nothing is to be built', async () => {
    await putGo('1.30.0', works)
    await provideBinaries(['etcd'], options())
    process.env.PATH = join(dir, 'nothing')
    expect((await provideBinaries(['etcd'], options())).etcd.from).toBe('cache')
    await expect(provideBinaries(['kwok'], options())).rejects.toThrow(/there is no go on the PATH/)
  })
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
