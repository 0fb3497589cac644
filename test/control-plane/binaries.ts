import { constants } from 'node:fs'
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findGo, type Go, runGo } from './go.ts'
import { withLock } from './lock.ts'
import {
  type BinaryName,
  buildArguments,
  cacheKey,
  goVersionOf,
  type ModuleName,
  pinnedVersion,
  recipes,
} from './recipes.ts'

/** Ignored by git and shared by everything that is run from this checkout. */
export const defaultCacheDir = fileURLToPath(new URL('../../.cache/control-plane', import.meta.url))
const modulesDir = fileURLToPath(new URL('modules', import.meta.url))

export type BinaryOptions = {
  /** A folder of binaries, as envtest's `KUBEBUILDER_ASSETS`; only what it lacks is looked for further. */
  readonly assets?: string | undefined
  readonly cacheDir?: string
  /** Says, in a line for people, what takes long. */
  readonly progress?: (line: string) => void
  readonly signal?: AbortSignal | undefined
}

/** Where a binary is. */
export type Binary = { readonly path: string; readonly from: 'KUBEBUILDER_ASSETS' | 'cache' | 'build' }

/**
 * Finds these binaries, and builds what is found nowhere: the folder of `KUBEBUILDER_ASSETS`, the cache, then a build from
 * the pinned Go modules into the cache. Two builders at once: the second waits, then finds what the first one built.
 * A binary appears in the cache whole or not at all.
 */
export async function provideBinaries<Name extends BinaryName>(
  names: readonly Name[],
  options: BinaryOptions = {},
): Promise<Readonly<Record<Name, Binary>>> {
  const { assets = process.env.KUBEBUILDER_ASSETS, cacheDir = defaultCacheDir, progress = () => {} } = options
  const found = new Map<BinaryName, Binary>()
  const targets = new Map<BinaryName, Target>()
  for (const name of names) {
    const path = assets === undefined || assets === '' ? undefined : join(assets, name)
    if (path !== undefined && (await isProgram(path))) found.set(name, { path, from: 'KUBEBUILDER_ASSETS' })
    else {
      const target = await readTarget(name, cacheDir)
      if (await isProgram(target.path)) found.set(name, { path: target.path, from: 'cache' })
      else targets.set(name, target)
    }
  }
  if (targets.size > 0) {
    const go = findGo(cacheDir, [...targets.keys()].join(', '))
    await mkdir(cacheDir, { recursive: true })
    const waiting = () => progress('another process is building; waiting for it')
    await withLock(join(cacheDir, 'build.lock'), { waiting, signal: options.signal }, async () => {
      let number = 0
      for (const [name, target] of targets) {
        number += 1
        if (await isProgram(target.path)) found.set(name, { path: target.path, from: 'cache' })
        else {
          await build(name, target, go, { progress, signal: options.signal, ordinal: `${number} of ${targets.size}` })
          found.set(name, { path: target.path, from: 'build' })
        }
      }
    })
  }
  return Object.fromEntries(found) as Record<Name, Binary>
}

type Target = {
  readonly folder: string
  readonly path: string
  readonly moduleDir: string
  readonly version: string
  readonly goVersion: string
}

async function readTarget(name: BinaryName, cacheDir: string): Promise<Target> {
  const module: ModuleName = recipes[name].module
  const moduleDir = join(modulesDir, module)
  const goMod = await readFile(join(moduleDir, 'go.mod'), 'utf8')
  const goSum = await readFile(join(moduleDir, 'go.sum'), 'utf8')
  const folder = join(cacheDir, cacheKey(module, goMod, goSum, `${process.platform}-${process.arch}`))
  const version = pinnedVersion(module, goMod)
  return { folder, path: join(folder, name), moduleDir, version, goVersion: goVersionOf(goMod) }
}

async function build(
  name: BinaryName,
  target: Target,
  go: Go,
  options: { readonly progress: (line: string) => void; readonly signal: AbortSignal | undefined; ordinal: string },
): Promise<void> {
  const { progress, signal, ordinal } = options
  const startedAt = performance.now()
  const seconds = () => Math.round((performance.now() - startedAt) / 1000)
  await mkdir(target.folder, { recursive: true })
  // The lock is ours: whoever left these was killed.
  for (const entry of await readdir(target.folder))
    if (entry.startsWith('.draft-')) await rm(join(target.folder, entry), { recursive: true, force: true })
  const draft = await mkdtemp(join(target.folder, '.draft-'))
  progress(
    `building ${name} ${target.version} with Go ${go.version} (${ordinal}); ` +
      `some ${recipes[name].coldSeconds} s the first time, less with a warm Go build cache`,
  )
  let downloads = 0
  const reporter = setInterval(() => {
    const fetched = downloads === 0 ? '' : `, ${downloads} modules downloaded`
    progress(`still building ${name}: ${seconds()} s${fetched}`)
  }, 20_000)
  try {
    await runGo({
      go,
      cwd: target.moduleDir,
      args: buildArguments(name, target.version, join(draft, name)),
      wantedVersion: target.goVersion,
      signal,
      line: (text) => {
        if (text.startsWith('go: downloading')) downloads += 1
      },
    })
    const { size } = await stat(join(draft, name))
    await rename(join(draft, name), target.path)
    progress(`built ${name} in ${seconds()} s, ${Math.round(size / 1e6)} MB`)
  } finally {
    clearInterval(reporter)
    await rm(draft, { recursive: true, force: true })
  }
}

const isProgram = (path: string) =>
  access(path, constants.X_OK)
    .then(() => stat(path))
    .then(
      (found) => found.isFile(),
      () => false,
    )
