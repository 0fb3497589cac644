import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createWebhookSender, type WebhookTuning } from '../src/alarms/webhook-sender.ts'
import { addMessages } from '../src/alarms/webhook-store.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { createMetrics, type Metrics } from '../src/telemetry/metrics.ts'
import { useDatabase } from './support/database.ts'
import { eventually } from './support/pool-cluster.ts'

/** The sender against a receiver on loopback that verifies with the reference library. */
const t = useDatabase()
const secret = `whsec_${Buffer.from('a key of thirty-two bytes or so!').toString('base64')}`

type Received = { readonly id: string; readonly body: string; readonly timestamp: number }
let receiver: Server
let received: Received[]
let answer: (response: ServerResponse, request: IncomingMessage) => void
let metrics: Metrics
let logged: string[]
const senders: { stop(): Promise<void> }[] = []

beforeEach(async () => {
  received = []
  logged = []
  metrics = createMetrics()
  answer = (response) => response.writeHead(204).end()
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString()
      new Webhook(secret).verify(body, request.headers as Record<string, string>)
      received.push({
        id: String(request.headers['webhook-id']),
        body,
        timestamp: Number(request.headers['webhook-timestamp']),
      })
      answer(response, request)
    })
  })
  await listen(0)
})
afterEach(async () => {
  for (const sender of senders.splice(0)) await sender.stop()
  await close()
  await t.db.query('truncate webhook_outbox')
})

const listen = (port: number) => new Promise<void>((resolve) => receiver.listen(port, '127.0.0.1', resolve))
const close = () =>
  new Promise<void>((resolve) => {
    receiver.close(() => resolve())
    receiver.closeAllConnections()
  })
const port = () => (receiver.address() as AddressInfo).port

/** Looks often, and tries again soon. */
const quick: Partial<WebhookTuning> = { everyMs: 5, timeoutMs: 60_000, retry: { baseMs: 5, maxMs: 20 } }

function start(tuning: Partial<WebhookTuning> = {}, url = `http://127.0.0.1:${port()}/hook?key=1`) {
  const stopping = new AbortController()
  const sender = createWebhookSender({
    db: t.db,
    target: { url, secret },
    logger: createLogger({ level: 'warn', destination: { write: (line: string) => void logged.push(line) } }),
    metrics,
    tuning: { ...quick, ...tuning },
  })
  const running = sender.run(stopping.signal)
  const handle = {
    async stop() {
      stopping.abort()
      await running
    },
  }
  senders.push(handle)
  return handle
}

const add = (...ids: string[]) =>
  addMessages(
    t.db,
    ids.map((id) => ({ id, body: JSON.stringify({ id, text: 'ü' }) })),
  )
const waiting = async () =>
  (await t.db.query<{ message_id: string }>('select message_id from webhook_outbox order by id')).map(
    (row) => row.message_id,
  )
const allDelivered = () =>
  eventually('an empty outbox', async () => {
    const left = await waiting()
    return { isDone: left.length === 0, value: { left, received } }
  })
const until = (what: string, isSo: () => boolean) => eventually(what, async () => ({ isDone: isSo(), value: received }))

test('a message arrives, signed, at the address as it was given, and leaves the outbox', async () => {
  let path: string | undefined
  answer = (response, request) => {
    path = `${request.method} ${request.url} ${request.headers['content-type']}`
    response.writeHead(200).end('thanks')
  }
  start()
  await add('m1')
  await allDelivered()
  expect(received).toEqual([
    { id: 'm1', body: '{"id":"m1","text":"ü"}', timestamp: expect.closeTo(Date.now() / 1000, -2) },
  ])
  expect(path).toBe('POST /hook?key=1 application/json')
  expect(await metrics.registry.metrics()).toContain('podyard_alarm_webhook_tries_total{outcome="delivered"} 1')
})

test('many arrive, each once', async () => {
  const ids = Array.from({ length: 50 }, (_, i) => `m${i}`)
  await add(...ids)
  start()
  await allDelivered()
  expect(received.map(({ id }) => id).sort()).toEqual([...ids].sort())
})

describe('is tried again', () => {
  test('after an answer that is no success, under the same id', async () => {
    const answers = [500, 503, 404, 429, 301]
    answer = (response) => {
      const status = answers.shift() ?? 200
      // Redirects are not followed: a second request would be another receipt.
      response.writeHead(status, { location: `http://127.0.0.1:${port()}/elsewhere` }).end()
    }
    await add('m1')
    start()
    await allDelivered()
    expect(received.map(({ id }) => id)).toEqual(Array(6).fill('m1'))
    expect(new Set(received.map(({ body }) => body)).size).toBe(1)
    expect(await metrics.registry.metrics()).toContain('podyard_alarm_webhook_tries_total{outcome="failed"} 5')
  })

  test('when no answer comes in time, or none that ends', async () => {
    const silent = [
      () => {},
      (response: ServerResponse) => void response.writeHead(200).write('and then'),
      (response: ServerResponse) => void response.destroy(),
    ]
    answer = (response) => {
      const next = silent.shift()
      if (next === undefined) response.end()
      else next(response)
    }
    await add('m1')
    start({ timeoutMs: 100 })
    await allDelivered()
    expect(received.length).toBeGreaterThanOrEqual(4)
    expect(logged.join('')).toContain('no answer in 0.1 s')
  })

  test('when nobody listened', async () => {
    const at = port()
    await close()
    await add('m1', 'm2')
    start({}, `http://127.0.0.1:${at}/`)
    await eventually('a try that failed', async () => {
      const [row] = await t.db.query<{ n: number }>('select min(attempts) as n from webhook_outbox')
      return { isDone: (row?.n ?? 0) > 1, value: row }
    })
    await listen(at)
    await allDelivered()
    expect(new Set(received.map(({ id }) => id))).toEqual(new Set(['m1', 'm2']))
  })

  test('by the next process when this one ended in the middle of a try', async () => {
    answer = () => {}
    await add('m1')
    const first = start()
    await until('a try under way', () => received.length === 1)
    await first.stop()
    expect(await waiting()).toEqual(['m1'])
    answer = (response) => response.end()
    start()
    await allDelivered()
    expect(received.map(({ id }) => id)).toEqual(['m1', 'm1'])
  })

  test('not at once, and not before those whose time has come', async () => {
    answer = (response) => response.writeHead(received.at(-1)?.id === 'bad' ? 500 : 200).end()
    await add('bad')
    start({ retry: { baseMs: 3_600_000, maxMs: 3_600_000 } })
    await until('a try', () => received.length === 1)
    await add('good')
    await until('the other', () => received.length === 2)
    await eventually('one left', async () => {
      const left = await waiting()
      return { isDone: left.length === 1, value: left }
    })
    expect(received.map(({ id }) => id)).toEqual(['bad', 'good'])
  })
})

test('a message that could not be delivered for a day is given up, which is said without address and key', async () => {
  answer = (response) => response.writeHead(500).end()
  await add('old', 'young')
  await t.db.query(`update webhook_outbox set created_at = now() - interval '25 hours' where message_id = 'old'`)
  start({ retry: { baseMs: 3_600_000, maxMs: 3_600_000 } })
  await eventually('both tried', async () => {
    const rows = await t.db.query('select message_id, attempts from webhook_outbox')
    return { isDone: rows.length === 1 && rows[0]?.attempts === 1, value: rows }
  })
  expect(await waiting()).toEqual(['young'])
  expect(await metrics.registry.metrics()).toContain('podyard_alarm_webhook_given_up_total 1')
  const said = logged.join('')
  expect(said).toContain('a message to the alarm webhook was given up')
  expect(said).toContain('"problem":"status 500"')
  expect(said).not.toContain(secret)
  expect(said).not.toContain('127.0.0.1')
})

test('an address that nothing can be sent to does not end the sender', async () => {
  await add('m1')
  start({}, `https://127.0.0.1:${port()}/some-path`)
  await eventually('a try that failed', async () => {
    const [row] = await t.db.query<{ attempts: number }>('select attempts from webhook_outbox')
    return { isDone: (row?.attempts ?? 0) > 1, value: row }
  })
  expect(logged.join('')).not.toContain('some-path')
})
