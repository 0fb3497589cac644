import { once } from 'node:events'
import { access, chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { admin, connectionTo, dropDatabase } from '../../server/test/support/database.ts'
import { podyard, serve, stopAll } from './support/podyard.ts'

const isRoot = process.getuid?.() === 0
let base: string
/** Most tests run on this one, one after the other: making a database anew takes most of a first start. */
let dataDir: string

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'podyard-serve-'))
  await chmod(base, 0o755)
  dataDir = join(base, 'data')
})
afterEach(stopAll)
afterAll(() => rm(base, { recursive: true, force: true }))

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )

/** Runs `podyard serve` to its end, which must be one line on stderr and exit code 1. */
async function refusal(args: readonly string[], options: Parameters<typeof podyard>[1] = {}): Promise<string> {
  const server = podyard(['serve', '--listen', '127.0.0.1:0', '--log-level', 'silent', ...args], options)
  const code = await server.ended
  expect({ code, stdout: server.stdout() }).toEqual({ code: 1, stdout: '' })
  expect(server.stderr()).toMatch(/^podyard: [^\n]+\n$/)
  return server.stderr()
}

describe('what keeps it from starting is one line and exit code 1', () => {
  test('a port in use; and the database that it started is stopped again', async () => {
    const taken: Server = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as { port: number }
    expect(await refusal(['--listen', `127.0.0.1:${port}`, '--data-dir', dataDir])).toContain(
      `cannot listen on 127.0.0.1:${port}: the address is in use`,
    )
    expect(await exists(join(dataDir, 'postgres/PG_VERSION'))).toBe(true)
    expect(await exists(join(dataDir, 'postgres/postmaster.pid'))).toBe(false)
    taken.close()
  })

  test('an address that this machine does not have', async () => {
    const line = await refusal(['--listen', '192.0.2.1:8080', '--data-dir', dataDir])
    expect(line).toContain('cannot listen on 192.0.2.1:8080: this machine has no such address')
  })

  test('a file where the data directory should be', async () => {
    const file = join(base, 'file')
    await writeFile(file, '')
    expect(await refusal(['--data-dir', file])).toContain(
      `cannot use the data directory ${file}: a file stands where a folder should be`,
    )
  })

  test('a data directory that may not be written', async () => {
    const dataDir = join(base, 'readonly')
    await mkdir(dataDir, { mode: 0o555 })
    const line = await refusal(['--data-dir', dataDir], isRoot ? { uid: 65534 } : {})
    expect(line).toContain(`cannot use the data directory ${dataDir}: permission denied`)
  })

  test.runIf(isRoot)('a parent of the data directory that the database may not enter', async () => {
    const closed = join(base, 'closed')
    await mkdir(closed, { mode: 0o700 })
    expect(await refusal(['--data-dir', join(closed, 'data')])).toContain(`may not enter ${closed} (mode 700)`)
  })

  test('a database that is down, without its password', async () => {
    const line = await refusal(['--data-dir', join(base, 'external')], {
      env: { PODYARD_DATABASE_URL: 'postgres://podyard:very-secret@127.0.0.1:1/podyard' },
    })
    expect(line).toMatch(/cannot reach the database postgres:\/\/podyard:\*{8}@127.0.0.1:1\/podyard: .*ECONNREFUSED/)
    expect(line).not.toContain('very-secret')
  })

  describe('a database', () => {
    const name = `t_newer_${process.pid}`
    const url = (database: string) => {
      const { host, port } = connectionTo(database)
      return `postgres://podyard@localhost:${port}/${database}?host=${encodeURIComponent(host)}`
    }
    afterAll(() => dropDatabase(name))

    test('that a newer Podyard wrote', async () => {
      await admin(`create database ${name} template t0`)
      const client = new pg.Client(connectionTo(name))
      await client.connect()
      await client.query(`insert into migration (number, name) values (9999, '9999_from_the_future.sql')`)
      await client.end()
      const line = await refusal(['--data-dir', join(base, 'external'), '--database-url', url(name)])
      expect(line).toMatch(/the database is at migration 9999, this program knows up to \d+: start a newer Podyard/)
    })

    test('that does not exist', async () => {
      const line = await refusal(['--data-dir', join(base, 'external'), '--database-url', url('t_none')])
      expect(line).toContain('database "t_none" does not exist')
    })
  })

  test('another Podyard on the same data directory, which goes on', async () => {
    const first = await serve(['--data-dir', dataDir])
    expect(await refusal(['--data-dir', dataDir])).toContain(
      `another Podyard (process ${first.child.pid}) runs on the data directory ${dataDir}`,
    )
    expect((await fetch(`${first.url}/readyz`)).status).toBe(200)
    first.child.kill('SIGTERM')
    expect(await first.ended).toBe(0)
  })
})

describe('signals', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s, even thrice at once, is a clean stop', async (signal) => {
    const server = await serve(['--data-dir', dataDir])
    for (let times = 0; times < 3; times += 1) server.child.kill(signal)
    expect(await server.ended).toBe(0)
    expect(await exists(join(dataDir, 'postgres/postmaster.pid'))).toBe(false)
  })

  test('a later one ends it at once, and the next start finds everything', async () => {
    const server = await serve(['--data-dir', dataDir])
    // A request that never ends holds up a graceful stop.
    const slow = connect(Number(new URL(server.url).port), '127.0.0.1')
    slow.on('error', () => {})
    slow.write('POST /serverless/v1/podpools HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{')
    await until(async () => (await fetch(`${server.url}/metrics`)).ok)
    server.child.kill('SIGINT')
    // Longer than what counts as the same signal.
    await delay(700)
    server.child.kill('SIGINT')
    expect(await server.ended).toBe(130)
    slow.destroy()
    const again = await serve(['--data-dir', dataDir])
    expect((await fetch(`${again.url}/readyz`)).status).toBe(200)
  })
})

describe('access', () => {
  test('the quick start says that it is open', async () => {
    const server = await serve(['--data-dir', join(base, 'open')])
    expect(server.stderr()).toContain('open: every request from this machine acts as admin')
    expect((await fetch(`${server.url}/serverless/v1/podpools`)).status).toBe(200)
    expect(await exists(join(base, 'open/admin-token'))).toBe(false)
  })

  test('anything else makes a token at first start, in a file of its own that it names', async () => {
    const dataDir = join(base, 'token')
    const path = join(dataDir, 'admin-token')
    const args = ['--data-dir', dataDir, '--simulator-listen', ':0']
    const server = await serve(args)
    const token = (await readFile(path, 'utf8')).trim()
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(token.length).toBeGreaterThan(40)
    const ask = (headers: Record<string, string>) =>
      fetch(`${server.url}/serverless/v1/podpools`, { headers }).then((answer) => answer.status)
    expect(await ask({})).toBe(401)
    expect(await ask({ authorization: `Bearer ${token}` })).toBe(200)
    server.child.kill('SIGTERM')
    await server.ended
    expect(server.stderr()).toContain(path)
    expect(server.stdout() + server.stderr()).not.toContain(token)
    await serve(args)
    expect((await readFile(path, 'utf8')).trim()).toBe(token)
  })
})

test('an embedded database that dies is started again', async () => {
  const server = await serve(['--data-dir', dataDir])
  const pid = Number((await readFile(join(dataDir, 'postgres/postmaster.pid'), 'utf8')).split('\n')[0])
  process.kill(pid, 'SIGKILL')
  await until(async () => {
    const now = await readFile(join(dataDir, 'postgres/postmaster.pid'), 'utf8').catch(() => '')
    return Number(now.split('\n')[0]) !== pid && (await fetch(`${server.url}/readyz`)).status === 200
  })
  server.child.kill('SIGTERM')
  expect(await server.ended).toBe(0)
})

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; !(await holds().catch(() => false)); await delay(20))
    if (Date.now() > end) throw new Error('not in 60 s')
}
