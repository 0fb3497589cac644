import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type RunningApp, startApp } from '../src/app.ts'
import { loadConfig } from '../src/config.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { connectionTo, useDatabase } from './support/database.ts'
import { eventually } from './support/pool-cluster.ts'
import { resources } from './support/pools-api.ts'

/** The program as a whole, with the simulated cluster: pools that scale, alarms, and a webhook. Minutes pass by moving the clock. */
const t = useDatabase()
const token = 'scaling-token'
const secret = `whsec_${Buffer.from('a key of thirty-two bytes or so!').toString('base64')}`
let dir: string
let app: RunningApp
let receiver: Server
const received: {
  readonly type: string
  readonly data: { readonly alarms: { readonly id: number; readonly cause: string }[] }
}[] = []

async function start(): Promise<void> {
  const { host } = connectionTo(t.name)
  const { config } = loadConfig({
    flags: {
      listen: '127.0.0.1:0',
      'data-dir': dir,
      'database-url': `postgres://podyard@localhost/${t.name}?host=${encodeURIComponent(host)}`,
      'admin-token': token,
      'alarm-webhook-url': `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`,
      'alarm-webhook-secret': secret,
      'simulator-schedule-ms': '0',
      'simulator-pull-ms': '0',
      'simulator-ready-ms': '0',
      'simulator-terminate-ms': '0',
      sync: 'off',
    },
    environment: {},
    readFile: () => '',
    workingDirectory: dir,
    checkout: dir,
    isRoot: false,
  })
  app = await startApp(config, { logger: createLogger({ level: 'silent' }) })
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'podyard-scaling-'))
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      received.push(
        new Webhook(secret).verify(
          Buffer.concat(chunks).toString(),
          request.headers as Record<string, string>,
        ) as never,
      )
      response.end()
    })
  })
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  await start()
})
beforeEach(() => t.db.query('truncate instance_clock'))
afterAll(async () => {
  await app?.stop()
  receiver.closeAllConnections()
  await new Promise((resolve) => receiver.close(resolve))
  await rm(dir, { recursive: true, force: true })
})

async function send<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await fetch(`${app.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
  return (text.startsWith('{') ? JSON.parse(text) : text) as T
}
const create = (pool: object) => send('POST', '/serverless/v1/podpools', { pools: [{ resources, ...pool }] })
const poolOf = async (id: string) => {
  const { result } = await send<{ result: { pools: Record<string, unknown>[] } }>(
    'GET',
    `/serverless/v1/podpools?id=${id}`,
  )
  return result.pools[0]
}
type Scaling = {
  wanted: number | null
  surplus: { pods: number } | null
  decisions: { wanted: number; decided_by: string }[]
}
const scaling = (id: string) => send<Scaling>('GET', `/v1/pools/${id}/scaling`)
const reasons = async (id: string) =>
  (await send<{ events: { reason: string }[] }>('GET', `/v1/pools/${id}/events`)).events.map(({ reason }) => reason)
const alarms = async (id: string) =>
  (await send<{ alarms: { id: number; kind: string; state: string; cause: string }[] }>('GET', `/v1/alarms?pool=${id}`))
    .alarms

/** Idle pods that can be had, by the table that claims read. */
const readyIn = async (id: string) => {
  const [row] = await t.db.query<{ n: number }>(
    'select count(*) as n from ready r join pool p on p.id = r.pool_id where p.name = $1',
    [id],
  )
  return row?.n ?? 0
}
const hasReady = (id: string, count: number) =>
  eventually(`${count} ready pods in ${id}`, async () => {
    const ready = await readyIn(id)
    return { isDone: ready === count, value: { ready, scaling: await scaling(id) } }
  })
const pass = (seconds: number) =>
  t.db.query(
    `insert into instance_clock (shift) values (make_interval(secs => $1))
     on conflict (id) do update set shift = instance_clock.shift + excluded.shift`,
    [seconds],
  )

describe('a pool with a buffer', () => {
  test('grows with its claims, and gives back what is not wanted', async () => {
    await create({ id: 'buffered', size: 1, max_size: 12, autoscaling: { buffer: 3 } })
    await hasReady('buffered', 3)
    const claimed = await Promise.all(
      Array.from({ length: 3 }, () =>
        send<{ result: { id: string } }>('POST', '/serverless/v1/instances', { pool: 'buffered' }),
      ),
    )
    await hasReady('buffered', 3)
    expect((await scaling('buffered')).wanted).toBe(6)

    await send('PUT', '/serverless/v1/podpools/buffered', { autoscaling: { buffer: 6 } })
    await hasReady('buffered', 6)
    await eventually('running again', async () => {
      const pool = await poolOf('buffered')
      return { isDone: pool?.status === 4, value: pool }
    })
    await send('PUT', '/serverless/v1/podpools/buffered', { autoscaling: { buffer: 1 } })
    await eventually('a surplus', async () => {
      const now = await scaling('buffered')
      return { isDone: now.surplus?.pods === 5, value: now }
    })
    await pass(300)
    await hasReady('buffered', 1)
    await eventually('a line of the story', async () => {
      const story = await reasons('buffered')
      return { isDone: story.includes('ScaledDown'), value: story }
    })

    for (const { result } of claimed) await send('DELETE', `/serverless/v1/instances/${result.id}`)
    await eventually('what is held is wanted no more', async () => {
      const now = await scaling('buffered')
      return { isDone: now.wanted === 1, value: now }
    })
    const { decisions } = await scaling('buffered')
    expect(decisions.at(-1)).toMatchObject({ wanted: 3, decided_by: 'buffer' })
  })

  test('of fixed size says that autoscaling has no effect', async () => {
    await create({ id: 'fixed', size: 1, autoscaling: { buffer: 3 } })
    await hasReady('fixed', 1)
    await eventually('a note', async () => {
      const pool = await poolOf('fixed')
      return {
        isDone: pool?.msg === 'Running; autoscaling has no effect: the size of this pool is fixed',
        value: pool,
      }
    })
    expect(await scaling('fixed')).toMatchObject({ wanted: null, decisions: [] })
  })
})

test('an alarm is raised once and cleared once, over a restart, in every place', async () => {
  await create({
    id: 'stuck',
    size: 2,
    max_size: 3,
    node_selector: { on: 'no-node' },
    pod_pending_duration_threshold: 60,
  })
  await eventually('two pods that no node takes', async () => {
    const pool = await poolOf('stuck')
    return { isDone: String(pool?.msg).includes('0/3 nodes are available'), value: pool }
  })
  expect(await alarms('stuck')).toEqual([])
  await pass(60)
  const raised = await eventually('two alarms', async () => {
    const found = await alarms('stuck')
    return { isDone: found.length === 2, value: found }
  })
  expect(raised.map(({ kind, state }) => [kind, state])).toEqual([
    ['pending', 'open'],
    ['pending', 'open'],
  ])
  await eventually('the metric', async () => {
    const text = await send<string>('GET', '/metrics')
    return { isDone: text.includes('podyard_pool_alarms{pool="stuck",kind="pending"} 2'), value: undefined }
  })

  await app.stop()
  await start()
  await eventually('the metric of the next process', async () => {
    const text = await send<string>('GET', '/metrics')
    return {
      isDone:
        text.includes('podyard_pool_alarms{pool="stuck",kind="pending"} 2') &&
        text.includes('podyard_pool_pods{pool="stuck",state="pending"} 2'),
      value: undefined,
    }
  })
  expect(await alarms('stuck')).toEqual(raised)

  await send('DELETE', '/serverless/v1/podpools?id=stuck')
  await eventually('both cleared', async () => {
    const found = await alarms('stuck')
    return { isDone: found.every(({ state }) => state === 'cleared'), value: found }
  })
  expect((await alarms('stuck')).map(({ id }) => id)).toEqual(raised.map(({ id }) => id))
  expect(await reasons('stuck')).toEqual(expect.arrayContaining(['AlarmPending', 'AlarmCleared']))
  const told = (type: string) =>
    new Set(received.filter((message) => message.type === type).flatMap(({ data }) => data.alarms.map(({ id }) => id)))
  await eventually('all told to the webhook', async () => ({
    isDone: told('alarm.raised').size === 2 && told('alarm.cleared').size === 2,
    value: received,
  }))
  expect(received[0]?.data.alarms[0]?.cause).toContain('0/3 nodes are available')
  const events = await t.db.query<{ type: string }>(`select type from event where resource = 'alarm'`)
  expect(events.map(({ type }) => type).sort()).toEqual(['create', 'create', 'update', 'update'])
})

test('an image that cannot be is a failed alarm at once', async () => {
  await create({ id: 'broken', size: 1, image: 'Not//An:Image' })
  const [alarm] = await eventually('an alarm', async () => {
    const found = (await alarms('broken')).filter(({ kind }) => kind === 'failed')
    return { isDone: found.length === 1, value: found }
  })
  expect(alarm).toMatchObject({ state: 'open', cause: expect.stringContaining('InvalidImageName') })
})
