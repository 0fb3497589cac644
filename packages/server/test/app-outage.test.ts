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
})

afterAll(async () => {
  await app?.stop()
  await postgres?.stop()
  await rm(dir, { recursive: true, force: true })
})

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

/** Calls from all sides until it is stopped, which returns every answer. */
function startLoad() {
  const answers: (Answer & { readonly call: string })[] = []
  let n = 1
  let isStopped = false
  const running = Promise.all(
    Object.entries(calls).map(async ([call, run]) => {
      while (!isStopped) {
        answers.push({ call, ...(await run(n++)) })
        await delay(2)
      }
    }),
  )
  return {
    /** Resolves when every call has had such an answer from now on. */
    async sees(what: string, suits: (answer: Answer) => boolean): Promise<void> {
      const from = answers.length
      await until(`every call ${what}`, () => {
        const seen = new Set(answers.slice(from).flatMap((answer) => (suits(answer) ? [answer.call] : [])))
        return seen.size === Object.keys(calls).length
      })
    },
    async stop() {
      isStopped = true
      await running
      return answers
    },
  }
}

const isAway = ({ status }: Answer) => status === 503

async function until(what: string, isSo: () => Promise<boolean> | boolean): Promise<void> {
  for (const end = performance.now() + 60_000; !(await isSo()); ) {
    if (performance.now() > end) throw new Error(`not in 60 s: ${what}`)
    await delay(20)
  }
}
const ready = (status: number) =>
  until(`/readyz is ${status}`, async () => (await fetch(`${app.url}/readyz`)).status === status)

test('503 in each dialect while it is away, nothing but that, and all is well when it is back', async () => {
  await ready(200)
  await calls['create a pool']?.(0)

  const load = startLoad()
  await load.sees('answered', (answer) => !isAway(answer))
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

  await load.sees('refused', isAway)

  postgres = await startPostgres()
  await ready(200)
  await load.sees('answered again', (answer) => !isAway(answer))
  const answers = await load.stop()
  const seen = new Set(answers.map(({ status }) => status))
  seen.delete(409) // a change while the controller has one under way
  expect([...seen].sort()).toEqual([200, 404, 503])

  // Everything that was acknowledged is there, and new work is done.
  expect((await calls['create a pool']?.(2_000_000))?.body).toMatchObject({ code: 0 })
  expect((await calls['create a business']?.(2_000_000))?.body).toMatchObject({ result: true })
  const acknowledged = answers.filter(({ call, status }) => call === 'create a pool' && status === 200)
  const { body } = await send('GET', '/serverless/v1/podpools?limit=1')
  expect((body.result as { count: number }).count).toBeGreaterThanOrEqual(acknowledged.length + 2)
})
