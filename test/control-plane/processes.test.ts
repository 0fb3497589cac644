import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { until } from './api.ts'
import { endAll, endComponents, launch, logTails, runningComponents, runningPid, signalComponent } from './processes.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'podyard-processes-'))
  await mkdir(join(dir, 'log'))
})
afterEach(async () => {
  await endAll(dir, { signal: 'SIGKILL' })
  await rm(dir, { recursive: true, force: true })
})

const shell = (name: 'etcd' | 'kwok' | 'kube-apiserver', script: string) => launch(dir, name, '/bin/sh', ['-c', script])
const said = (text: string) =>
  until(`"${text}"`, async () => (await logTails(dir, 5)).includes(text), { limitMs: 60_000 })

test('a process is known, told to end, and gone', async () => {
  await shell('etcd', 'exec sleep 300')
  await shell('kwok', 'exec sleep 300')
  expect(runningComponents(dir)).toEqual(['etcd', 'kwok'])
  expect(await endAll(dir)).toEqual(['kwok', 'etcd'])
  expect(runningComponents(dir)).toEqual([])
  expect(existsSync(join(dir, 'etcd.pid'))).toBe(false)
})

test('a process that does not mind SIGTERM is killed, one that is frozen too', async () => {
  await shell('etcd', 'trap "" TERM; echo deaf; while :; do sleep 0.05; done')
  await shell('kwok', 'exec sleep 300')
  await said('deaf')
  signalComponent(dir, 'kwok', 'SIGSTOP')
  await endComponents(dir, ['etcd', 'kwok'], { limitMs: 100 })
  expect(runningComponents(dir)).toEqual([])
})

test('a process that got the number of ours later is left alone', async () => {
  await shell('etcd', 'exec sleep 300')
  const pid = runningPid(dir, 'etcd')
  const file = join(dir, 'etcd.pid')
  const text = await readFile(file, 'utf8')
  await writeFile(file, `${pid} another start\n`)
  expect(runningPid(dir, 'etcd')).toBeUndefined()
  expect(signalComponent(dir, 'etcd', 'SIGKILL')).toBe(false)
  await writeFile(file, text)
  expect(runningPid(dir, 'etcd')).toBe(pid)
})

test('logs are kept from one start to the next; their ends are shown', async () => {
  await shell('etcd', 'echo first')
  await said('first')
  await shell('etcd', 'echo second >&2; echo "$HOME"; env | cut -d= -f1 | sort | tr "\\n" " "')
  await said('HOME')
  const tails = await logTails(dir, 3)
  expect(tails).toMatch(/^etcd:\n {2}second\n/)
  // Nothing of the caller's environment but PATH; the shell adds PWD and the like itself.
  expect(tails).not.toContain('VITEST')
  expect(tails).toContain(dir)
})

test('a program that does not exist is an error, and no process', async () => {
  await expect(launch(dir, 'etcd', join(dir, 'none'), [])).rejects.toThrow(/etcd cannot be started: .*ENOENT/)
  expect(runningComponents(dir)).toEqual([])
})
