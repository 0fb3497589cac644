import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { StartError } from '../src/start-error.ts'
import {
  type Embedded,
  type EmbeddedOptions,
  packageNative,
  prepareRuntime,
  startEmbedded,
} from '../src/store/embedded-postgres.ts'

const isRoot = process.getuid?.() === 0
let base: string
let options: EmbeddedOptions
const servers: Embedded[] = []
const processes: ChildProcess[] = []

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'podyard-supervisor-'))
  await chmod(base, 0o755)
  const runtime = await prepareRuntime(packageNative(), join(tmpdir(), 'podyard-postgres-18.4'))
  options = { runtime, settings: { fsync: 'off', shared_buffers: '16MB' } }
})

afterAll(async () => {
  for (const child of processes) child.kill('SIGKILL')
  await Promise.all(servers.map((server) => server.stop()))
  await rm(base, { recursive: true, force: true })
})

async function start(dataDir: string, more: Partial<EmbeddedOptions> = {}): Promise<Embedded> {
  const server = await startEmbedded(dataDir, { ...options, ...more })
  servers.push(server)
  return server
}

async function query(server: Embedded, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ host: server.socketDir, port: server.port, user: 'podyard', database: 'postgres' })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

const problem = async (attempt: Promise<unknown>): Promise<string> => {
  const error = await attempt.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(StartError)
  expect((error as StartError).message).not.toContain('\n')
  return (error as StartError).message
}

/** A process of its own that starts the server, says where, and waits. */
async function startElsewhere(dataDir: string): Promise<{ child: ChildProcess; pid: number; adopted: boolean }> {
  const module = new URL('../src/store/embedded-postgres.ts', import.meta.url).href
  const script = `const { startEmbedded } = await import(${JSON.stringify(module)})
    const server = await startEmbedded(${JSON.stringify(dataDir)}, ${JSON.stringify(options)})
    console.log(JSON.stringify({ pid: server.pid, adopted: server.adopted }))
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  processes.push(child)
  const [said] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
  return { child, ...(JSON.parse(said.toString()) as { pid: number; adopted: boolean }) }
}

describe('start and stop', () => {
  test('a first start makes the database, a stop ends it, a second start finds its rows', async () => {
    const dataDir = join(base, 'plain')
    const first = await start(dataDir)
    expect(first).toMatchObject({ adopted: false, socketDir: dataDir })
    expect(await query(first, `select upper('äß') as upper, current_setting('listen_addresses') as listen`)).toEqual([
      { upper: 'Äß', listen: '' },
    ])
    await query(first, 'create table kept as select 1 as n')
    const settled = first.stop()
    expect(first.stop()).toBe(settled)
    await settled
    expect(await readdir(dataDir)).not.toContain('postmaster.pid')
    const second = await start(dataDir)
    expect(await query(second, 'select * from kept')).toEqual([{ n: 1 }])
    expect((await stat(dataDir)).mode & 0o777).toBe(0o700)
    expect((await stat(`${dataDir}.log`)).mode & 0o777).toBe(0o600)
    await second.stop()
  })

  test('two first starts at once end in one server that both use', async () => {
    const dataDir = join(base, 'double')
    const [a, b] = await Promise.all([start(dataDir), start(dataDir)])
    expect(a.pid).toBe(b.pid)
    expect([a.adopted, b.adopted].sort()).toEqual([false, true])
    await query(a, 'create table t as select 2 as n')
    expect(await query(b, 'select * from t')).toEqual([{ n: 2 }])
    expect((await readdir(base)).filter((name) => name.startsWith('double.') && name !== 'double.log')).toEqual([])
    await Promise.all([a.stop(), b.stop()])
  })

  test('a data directory whose socket path would be too long gets its socket elsewhere, and the next start finds it', async () => {
    const dataDir = join(base, 'x'.repeat(60), 'y'.repeat(60), 'pg')
    const server = await start(dataDir)
    expect(server.socketDir).not.toContain(base)
    const again = await start(dataDir)
    expect(again).toMatchObject({ adopted: true, socketDir: server.socketDir })
    expect(await query(again, 'select 1 as n')).toEqual([{ n: 1 }])
    await again.stop()
    await expect(stat(server.socketDir)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('tells when the server ended unasked, and starts again after it was killed', async () => {
    const dataDir = join(base, 'killed')
    const first = await start(dataDir)
    await query(first, 'create table t as select 3 as n')
    process.kill(first.pid, 'SIGKILL')
    await first.ended
    const second = await start(dataDir)
    expect(second.adopted).toBe(false)
    expect(await query(second, 'select * from t')).toEqual([{ n: 3 }])
    const third = await start(dataDir)
    expect(third.adopted).toBe(true)
    process.kill(third.pid, 'SIGKILL')
    await third.ended
    await third.stop()
  })
})

describe('after a crash of ours', () => {
  test('the server lives on and is adopted with its rows', async () => {
    const dataDir = join(base, 'crash')
    const { child, pid } = await startElsewhere(dataDir)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const server = await start(dataDir)
    expect(server).toMatchObject({ adopted: true, pid })
    await query(server, 'select 1')
    await server.stop()
    expect(await readdir(dataDir)).not.toContain('postmaster.pid')
  })

  test('a Ctrl-C for the group of ours does not reach it', async () => {
    const dataDir = join(base, 'session')
    const { child, pid } = await startElsewhere(dataDir)
    const session = async (of: number) => (await readFile(`/proc/${of}/stat`, 'utf8')).split(') ')[1]?.split(' ')[3]
    if (process.platform === 'linux') expect(await session(pid)).toBe(String(pid))
    child.kill('SIGKILL')
    await once(child, 'exit')
    await (await start(dataDir)).stop()
  })

  test.each([
    ["another user's", undefined],
    ["the server's own user's", 65534],
  ])('a stale pid file that names a living foreign process (%s) is seen through', async (name, uid) => {
    const dataDir = join(base, `stale-${uid}`)
    const first = await start(dataDir)
    await query(first, 'create table t as select 4 as n')
    const file = await readFile(join(dataDir, 'postmaster.pid'), 'utf8')
    await first.stop()
    const foreign = spawn('sleep', ['600'], isRoot && uid !== undefined ? { uid, gid: uid } : {})
    processes.push(foreign)
    await writeFile(join(dataDir, 'postmaster.pid'), file.replace(/^\d+/, String(foreign.pid)))
    const server = await start(dataDir)
    expect(server.adopted, name).toBe(false)
    expect(server.pid).not.toBe(foreign.pid)
    expect(await query(server, 'select * from t')).toEqual([{ n: 4 }])
    await server.stop()
    expect(foreign.exitCode ?? foreign.signalCode).toBeNull()
  })

  test('a pid file that leads to the server of another directory is seen through, and that server left alone', async () => {
    const [ours, theirs] = [join(base, 'ours'), join(base, 'theirs')]
    const other = await start(theirs)
    await (await start(ours)).stop()
    await writeFile(join(ours, 'postmaster.pid'), await readFile(join(theirs, 'postmaster.pid')))
    const server = await start(ours)
    expect(server).toMatchObject({ adopted: false, socketDir: ours })
    await server.stop()
    expect(await query(other, 'select 1 as n')).toEqual([{ n: 1 }])
    await other.stop()
  })

  test('the draft of an initdb that was killed is removed, one that is still being made is not', async () => {
    const dataDir = join(base, 'drafted')
    const gone = spawn('true')
    await once(gone, 'exit')
    await mkdir(`${dataDir}.${gone.pid}-abcdef/base`, { recursive: true })
    await mkdir(`${dataDir}.${process.pid}-abcdef/base`, { recursive: true })
    const server = await start(dataDir)
    await query(server, 'select 1')
    await server.stop()
    expect((await readdir(base)).filter((name) => name.startsWith('drafted.')).sort()).toEqual(
      [`drafted.${process.pid}-abcdef`, 'drafted.log'].sort(),
    )
  })

  test('one that runs with other settings is replaced where that is asked for', async () => {
    const dataDir = join(base, 'upgraded')
    const first = await start(dataDir)
    const same = await start(dataDir, { replaceDifferent: true })
    expect(same).toMatchObject({ adopted: true, pid: first.pid })
    const settings = { ...options.settings, max_connections: '7' }
    const other = await start(dataDir, { settings, replaceDifferent: true })
    expect(other.adopted).toBe(false)
    expect(await query(other, `select current_setting('max_connections') as n`)).toEqual([{ n: '7' }])
    await other.stop()
  })

  test('a server that is stopping is waited for', async () => {
    const dataDir = join(base, 'stopping')
    const first = await start(dataDir)
    const stopped = first.stop()
    const second = await start(dataDir)
    await stopped
    expect(second.pid).not.toBe(first.pid)
    await query(second, 'select 1')
    await second.stop()
  })
})

describe('one clear line', () => {
  test('for a folder that holds something else', async () => {
    const dataDir = join(base, 'photos')
    await mkdir(dataDir)
    await writeFile(join(dataDir, 'holiday.jpg'), '')
    expect(await problem(start(dataDir))).toBe(
      `${dataDir} is not empty and holds no PostgreSQL data: remove it, or give another --data-dir`,
    )
  })

  test('for data of another major version', async () => {
    const dataDir = join(base, 'old')
    await (await start(dataDir)).stop()
    await writeFile(join(dataDir, 'PG_VERSION'), '16\n')
    expect(await problem(start(dataDir))).toContain('was written by PostgreSQL 16, this Podyard brings 18')
  })

  test('for a server that cannot start, with its own words', async () => {
    const message = await problem(
      start(join(base, 'refused'), { settings: { ...options.settings, shared_buffers: 'lots' } }),
    )
    expect(message).toMatch(/invalid value for parameter "shared_buffers"/)
  })

  test('for a file where a folder should be', async () => {
    await writeFile(join(base, 'file'), '')
    expect(await problem(start(join(base, 'file/pg')))).toContain('a file stands where a folder should be')
    expect(await problem(start(join(base, 'file')))).toContain('a file stands where a folder should be')
  })

  test.runIf(isRoot)('for a parent that the server may not enter, which it names', async () => {
    const closed = join(base, 'closed')
    await mkdir(closed, { mode: 0o700 })
    expect(await problem(start(join(closed, 'pg')))).toContain(`may not enter ${closed} (mode 700)`)
  })

  test.runIf(isRoot)('for a runtime that somebody else could have changed', async () => {
    const target = join(base, 'planted')
    await mkdir(target)
    await writeFile(join(target, '.complete'), '')
    await chown(target, 65534, 65534)
    expect(await problem(prepareRuntime(packageNative(), target))).toContain('could have been changed by another user')
  })
})

test('a runtime from an install that was closed to others is readable by all', async () => {
  const native = join(base, 'package/native')
  await mkdir(join(native, 'bin'), { recursive: true, mode: 0o700 })
  await mkdir(join(native, 'lib'), { mode: 0o700 })
  await writeFile(join(native, 'bin/postgres'), '', { mode: 0o700 })
  await writeFile(join(native, 'lib/libx.so.1.2'), '', { mode: 0o600 })
  await writeFile(join(native, 'lib/libx.a'), '')
  const links = [{ source: 'native/lib/libx.so.1.2', target: 'native/lib/libx.so.1' }]
  await writeFile(join(native, 'pg-symlinks.json'), JSON.stringify(links))
  const runtime = await prepareRuntime(native, join(base, 'opened'))
  const mode = async (name: string) => ((await stat(join(runtime, name))).mode & 0o777).toString(8)
  expect(await Promise.all(['', 'bin', 'bin/postgres', 'lib', 'lib/libx.so.1'].map(mode))).toEqual([
    '755',
    '755',
    '755',
    '755',
    '644',
  ])
  expect((await readdir(join(runtime, 'lib'))).sort()).toEqual(['libx.so.1', 'libx.so.1.2'])
})

test('the runtime is made once, whole, by two at once', async () => {
  const target = join(base, 'runtime/18')
  const made = await Promise.all([1, 2].map(() => prepareRuntime(packageNative(), target)))
  expect(made).toEqual([target, target])
  expect(await readdir(join(base, 'runtime'))).toEqual(['18'])
  expect((await readdir(join(target, 'lib'))).filter((name) => name.endsWith('.a'))).toEqual([])
  await (await start(join(base, 'with-it'), { runtime: target })).stop()
})
