import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { until } from './api.ts'
import { runningComponents, runningPid } from './processes.ts'
import { startControlPlane } from './start.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'podyard-cp-test-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const limit = { limitMs: 120_000 }
const here = (file: string) => fileURLToPath(new URL(file, import.meta.url))

/** Runs the command, and waits for its end. */
async function command(...args: string[]) {
  const child = spawn(process.execPath, [here('main.ts'), ...args, '--run-dir', join(dir, 'run')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { out: '', err: '' }
  child.stdout.on('data', (chunk) => {
    said.out += chunk
  })
  child.stderr.on('data', (chunk) => {
    said.err += chunk
  })
  const [code] = await once(child, 'close')
  return { code, ...said }
}

test('up, status and down', async () => {
  const runDir = join(dir, 'run')
  const up = await command('up', '--nodes', '2')
  expect(up).toMatchObject({ code: 0, out: `${runDir}/kubeconfig\n` })
  expect(up.err).toMatch(/up after .* 2 nodes; .*: raised/)

  const status = await command('status')
  expect(status.code).toBe(0)
  expect(status.out).toMatch(/2 of 2 nodes Ready/)

  const again = await command('up')
  expect(again.code).toBe(1)
  expect(again.err).toContain('already run from')
  expect(runningComponents(runDir)).toHaveLength(5)

  expect((await command('down')).err).toContain(
    'ended kwok, kube-scheduler, kube-controller-manager, kube-apiserver, etcd',
  )
  expect(runningComponents(runDir)).toEqual([])
  expect((await readdir(join(runDir, 'log'))).sort()).toEqual(
    expect.arrayContaining(['etcd.log', 'kube-apiserver.log']),
  )
  expect((await command('status')).code).toBe(1)
  expect(await command('down')).toMatchObject({ code: 0, err: `nothing runs from ${runDir}\n` })
})

test('nothing survives a starter that was killed', async () => {
  const runDir = join(dir, 'run')
  const script = join(dir, 'starter.ts')
  await writeFile(
    script,
    `import { startControlPlane } from ${JSON.stringify(here('start.ts'))}
     await startControlPlane({ nodes: 1, runDir: ${JSON.stringify(runDir)} })
     console.log('up')
     setInterval(() => {}, 1000)`,
  )
  const starter: ChildProcess = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(starter, 'exit')
  await Promise.race([once(starter.stdout ?? starter, 'data'), ended])
  const pids = runningComponents(runDir).map((name) => runningPid(runDir, name))
  expect(pids).toHaveLength(5)
  starter.kill('SIGKILL')
  await ended
  await until('everything to end', () => runningComponents(runDir).length === 0, limit)
})

test('a throw-away control plane leaves no folder', async () => {
  const plane = await startControlPlane({ nodes: 0, kwok: false })
  expect(runningComponents(plane.runDir)).toHaveLength(4)
  await plane.stop()
  expect(runningComponents(plane.runDir)).toEqual([])
  expect(existsSync(plane.runDir)).toBe(false)
})

test('a start that fails shows the log, and ends what it had started', async () => {
  const runDir = join(dir, 'run')
  const assets = join(dir, 'assets')
  await mkdir(assets)
  const broken = join(assets, 'kube-apiserver')
  await writeFile(broken, '#!/bin/sh\necho "no such flag: --nonsense" >&2\nexit 3\n')
  await chmod(broken, 0o755)
  // Only what the folder of assets lacks comes from elsewhere: etcd is a real one.
  await expect(startControlPlane({ runDir, assets })).rejects.toThrow(
    /^kube-apiserver has ended instead of getting ready\n[\s\S]*no such flag: --nonsense/,
  )
  expect(runningComponents(runDir)).toEqual([])
})

test('a folder that holds anything else is left alone', async () => {
  await writeFile(join(dir, 'precious'), '')
  await expect(startControlPlane({ runDir: dir })).rejects.toThrow(/is not empty/)
  expect(await readdir(dir)).toEqual(['precious'])
})
