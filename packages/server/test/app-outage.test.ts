/** The database goes away under load and comes back: every answer meanwhile says so, and everything works again. */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunningApp, startApp } from '../src/app.ts'
import { loadConfig } from '../src/config.ts'
import { type Embedded, packageNative, prepareRuntime, startEmbedded } from '../src/store/embedded-postgres.ts'
import { createLogger } from '../src/telemetry/logger.ts'

let dir: string
let runtime: string
let postgres: Embedded
let app: RunningApp

const startPostgres = () => startEmbedded(join(dir, 'pg'), { runtime, settings: { fsync: 'off' } })

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'podyard-outage-'))
  await chmod(dir, 0o755)
  runtime = await prepareRuntime(packageNative(), join(tmpdir(), 'podyard-postgres-18.4'))
  postgres = await startPostgres()
  const { config } = loadConfig({
    flags: {
      listen: '127.0.0.1:0',
      'data-dir': join(dir, 'data'),
      'database-url': `postgres://podyard@localhost/postgres?host=${encodeURIComponent(postgres.socketDir)}`,
      'admin-token': 'outage-token',
    },
    environment: {},
    readFile: () => '',
    workingDirectory: dir,
    checkout: dir,
    isRoot: false,
  })
  app = await startApp(config, { logger: createLogger({ level: 'silent' }) })
}, 60_000)

afterAll(async () => {
  await app?.stop()
  await postgres?.stop()
  await rm(dir, { recursive: true, force: true })
}, 60_000)

type Answer = { readonly status: number; readonly body: Record<string, unknown> }

async function send(method: string, path: string, body?: object): Promise<Answer> {
  const answer = await fetch(app.url + path, {
    method,
    headers: { authorization: 'Bearer outage-token', 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}

const pool = (id: string) => ({
  pools: [{ id, size: 0, resources: { requests: { cpu: '1m' }, limits: { cpu: '1m' } } }],
})
const calls: Readonly<Record<string, (n: number) => Promise<Answer>>> = {
  'list pools': () => send('GET', '/serverless/v1/podpools'),
  'create a pool': (n) => send('POST', '/serverless/v1/podpools', pool(`p-${n}`)),
  'change a pool': () => send('PUT', '/serverless/v1/podpools/p-0', { size: 0 }),
  'delete pools': () => send('DELETE', '/serverless/v1/podpools?id=none'),
  'list pods': () => send('POST', '/api/v3/findmany/kube/pod', { bk_biz_id: 1, page: { start: 0, limit: 10 } }),
  'create a business': (n) => send('POST', '/api/v3/biz/0', { bk_biz_name: `biz-${n}`, bk_biz_maintainer: 'ann' }),
}

/** Calls from all sides until `until` says stop; returns every answer. */
async function load(until: () => boolean): Promise<(Answer & { readonly call: string })[]> {
  const answers: (Answer & { readonly call: string })[] = []
  let n = 1
  await Promise.all(
    Object.entries(calls).map(async ([call, run]) => {
      while (!until()) answers.push({ call, ...(await run(n++)) })
    }),
  )
  return answers
}

async function ready(status: number): Promise<void> {
  for (const end = performance.now() + 20_000; (await fetch(`${app.url}/readyz`)).status !== status; ) {
    if (performance.now() > end) throw new Error(`/readyz was not ${status} in 20 s`)
    await delay(20)
  }
}

test('503 in each dialect while it is away, nothing but that, and all is well when it is back', async () => {
  await ready(200)
  await calls['create a pool']?.(0)

  let stopped = false
  const under = load(() => stopped)
  await postgres.stop()
  await ready(503)
  const away = await Promise.all(
    Object.entries(calls).map(async ([call, run]) => ({ call, ...(await run(1_000_000)) })),
  )
  for (const { call, status, body } of away) {
    expect({ call, status }).toEqual({ call, status: 503 })
    if (call.includes('pool') && !call.includes('pods')) expect(body).toMatchObject({ code: 122002 })
    else expect(body).toMatchObject({ result: false, code: expect.any(Number), data: null })
  }
  expect(away.find(({ call }) => call === 'list pods')?.body).toMatchObject({ code: 1199017, bk_error_code: 1199017 })

  postgres = await startPostgres()
  await ready(200)
  stopped = true
  const seen = new Set((await under).map(({ status }) => status))
  seen.delete(409) // a change while the controller has one under way
  expect([...seen].sort()).toEqual([200, 404, 503])

  // Everything that was acknowledged is there, and new work is done.
  expect((await calls['create a pool']?.(2_000_000))?.body).toMatchObject({ code: 0 })
  expect((await calls['create a business']?.(2_000_000))?.body).toMatchObject({ result: true })
  const acknowledged = (await under).filter(({ call, status }) => call === 'create a pool' && status === 200)
  const { body } = await send('GET', '/serverless/v1/podpools?limit=1')
  expect((body.result as { count: number }).count).toBeGreaterThanOrEqual(acknowledged.length + 2)
}, 60_000)
