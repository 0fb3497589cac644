/** The stream of state changes: over a real connection, with and without a place to go on from. */
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { clearInstances, insertPool, insertReady } from './support/instance-rows.ts'
import { instancesPath, useInstancesApi } from './support/instances-api.ts'

const api = useInstancesApi()
let port = 0
beforeAll(async () => {
  await api.app.listen({ host: '127.0.0.1', port: 0 })
  port = (api.app.server.address() as AddressInfo).port
})
beforeEach(() => clearInstances(api.db))

type Event = {
  readonly id: string
  readonly event: string
  readonly data: { readonly id: string; readonly state: string }
}

/** Follows the stream; `take` waits for so many events with data in all. */
async function follow(query = '', lastEventId?: string) {
  const events: Event[] = []
  let text = ''
  let wake = () => {}
  const outgoing = request({
    port,
    host: '127.0.0.1',
    path: `${instancesPath}/events${query}`,
    headers: lastEventId === undefined ? {} : { 'last-event-id': lastEventId },
  })
  const answer = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
    outgoing.on('response', resolve)
    outgoing.on('error', reject)
    outgoing.end()
  })
  const begun = Promise.withResolvers<string>()
  answer.setEncoding('utf8')
  answer.on('error', () => {})
  answer.on('data', (chunk: string) => {
    text += chunk
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const fields = Object.fromEntries(
        text
          .slice(0, end)
          .split('\n')
          .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
      )
      text = text.slice(end + 2)
      if (fields.data !== undefined)
        events.push({ id: fields.id ?? '', event: fields.event ?? '', data: JSON.parse(fields.data) })
      else if (fields.id !== undefined) begun.resolve(fields.id)
    }
    wake()
  })
  return {
    answer,
    /** The id that a client has which saw no event yet. */
    first: answer.statusCode === 200 ? await begun.promise : '',
    async take(count: number): Promise<Event[]> {
      while (events.length < count)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      return events
    },
    close: () => outgoing.destroy(),
  }
}

const body = { pool: 'p', lease_seconds: 3_600 }

describe('GET /instances/events', () => {
  test('tells of claims and releases as they come, with the instance', async () => {
    await insertReady(api.db, await insertPool(api.db, 'p'), 2)
    const stream = await follow()
    expect(stream.answer.headers['content-type']).toBe('text/event-stream; charset=utf-8')
    expect(stream.answer.headers['x-request-id']).toMatch(/./)
    const { json } = await api.claim(body)
    const id = String(json.result?.id)
    await api.release(id)
    const events = await stream.take(2)
    expect(events.map(({ event, data }) => [event, data.id, data.state])).toEqual([
      ['running', id, 'running'],
      ['released', id, 'released'],
    ])
    expect(events[0]?.data).toEqual(json.result)
    stream.close()
  })

  test('goes on where a client left off: nothing missing, nothing twice', async () => {
    await insertReady(api.db, await insertPool(api.db, 'p'), 4)
    const stream = await follow()
    const ids: string[] = []
    for (let i = 0; i < 4; i += 1) ids.push(String((await api.claim(body)).json.result?.id))
    const [first, second] = await stream.take(2)
    stream.close()
    const again = await follow('', second?.id)
    expect((await again.take(2)).map(({ data }) => data.id)).toEqual(ids.slice(2))
    again.close()
    // Before the first event: the id that the stream began with.
    const anew = await follow(`?after=${stream.first}`)
    expect((await anew.take(4)).map(({ data }) => data.id)).toEqual(ids)
    expect(first?.data.id).toBe(ids[0])
    anew.close()
  })

  test('narrowed by pool, tenant and state', async () => {
    await insertReady(api.db, await insertPool(api.db, 'p'), 2)
    await insertReady(api.db, await insertPool(api.db, 'q'), 2)
    const stream = await follow('?pool=q&state=released&tenant=t')
    for (const claim of [{ pool: 'p', tenant: 't' }, { pool: 'q' }, { pool: 'q', tenant: 't' }])
      await api.release(String((await api.claim(claim)).json.result?.id))
    expect((await stream.take(1)).map(({ data }) => data)).toMatchObject([
      { pool: 'q', tenant: 't', state: 'released' },
    ])
    stream.close()
  })

  test('410 when what follows has been swept', async () => {
    await insertReady(api.db, await insertPool(api.db, 'p'), 2)
    await api.claim(body)
    await api.claim(body)
    await api.db.query('delete from event where seq < (select max(seq) from event)')
    const stream = await follow('?after=1')
    expect(stream.answer.statusCode).toBe(410)
    stream.close()
  })
})
