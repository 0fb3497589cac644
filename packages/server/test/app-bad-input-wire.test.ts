/** What only a real connection shows: answers to bodies that are still being sent, and bytes that are no HTTP. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import { host, useApp } from './support/app.ts'

const app = useApp()
let port: number
beforeAll(async () => {
  await app.app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.app.server.address()
  if (typeof address !== 'object' || address === null) throw new Error('not listening')
  port = address.port
  await app.reset()
})

/** Sends the parts one after the other, and gives what came back when the server closed, or after its first whole answer. */
async function exchange(...parts: readonly (string | Buffer)[]): Promise<string> {
  const socket: Socket = connect(port, '127.0.0.1')
  let answer = ''
  socket.on('data', (chunk) => {
    answer += chunk.toString('latin1')
  })
  // A server that has answered may reset what is still being sent.
  socket.on('error', () => undefined)
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  await once(socket, 'connect')
  for (const part of parts) {
    if (socket.destroyed || !socket.writable) break
    if (!socket.write(part)) await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed])
  }
  const whole = async () => {
    for (const end = performance.now() + 10_000; performance.now() < end && !isWhole(answer); ) await delay(5)
  }
  await Promise.race([closed, whole()])
  socket.destroy()
  return answer
}

function isWhole(answer: string): boolean {
  const head = answer.indexOf('\r\n\r\n')
  const length = /content-length: (\d+)/i.exec(answer)?.[1]
  return head >= 0 && length !== undefined && answer.length >= head + 4 + Number(length)
}

const request = (line: string, ...headers: readonly string[]) =>
  `${[`${line} HTTP/1.1`, `host: ${host}`, ...headers].join('\r\n')}\r\n\r\n`
const mib = Buffer.alloc(1024 * 1024, '[')

async function expectAlive(before: Readonly<Record<string, string>>): Promise<void> {
  const answer = await exchange(request('GET /serverless/v1/podpools', 'connection: close'))
  expect(answer).toMatch(/^HTTP\/1\.1 200 /)
  expect(await app.fingerprint()).toEqual(before)
  expect(app.logged).toEqual([])
}

describe('a body over the limit is answered while it is being sent', () => {
  test.each([
    ['POST /serverless/v1/podpools', '"code":4104'],
    ['POST /api/v3/createmany/kube/pod', '"code":1199004'],
    ['POST /api/c/compapi/v2/cc/batch_create_kube_pod/', '"code":1199004'],
  ])('%s', async (line, code) => {
    const before = await app.fingerprint()
    for (const headers of [
      [`content-length: ${64 * mib.length}`, 'content-type: application/json'],
      [`content-length: ${9 * mib.length}`],
    ]) {
      const answer = await exchange(request(line, ...headers), ...Array.from({ length: 9 }, () => mib))
      expect(answer).toMatch(/^HTTP\/1\.1 413 /)
      expect(answer).toContain(code)
    }
    const chunk = Buffer.concat([Buffer.from(`${mib.length.toString(16)}\r\n`), mib, Buffer.from('\r\n')])
    const chunked = await exchange(
      request(line, 'transfer-encoding: chunked', 'content-type: application/json'),
      ...Array.from({ length: 12 }, () => chunk),
    )
    expect(chunked).toMatch(/^HTTP\/1\.1 413 /)
    expect(chunked).toContain(code)
    // curl asks first, and then sends nothing.
    const expecting = await exchange(request(line, `content-length: ${9 * mib.length}`, 'expect: 100-continue'))
    expect(expecting).toContain('HTTP/1.1 413 ')
    await expectAlive(before)
  })
})

describe('a client that goes away in the middle', () => {
  test.each(['POST /serverless/v1/podpools', 'POST /api/v3/createmany/kube/pod'])('%s', async (line) => {
    const before = await app.fingerprint()
    for (let i = 0; i < 5; i += 1) {
      const socket = connect(port, '127.0.0.1')
      await once(socket, 'connect')
      socket.write(`${request(line, 'content-length: 1000', 'content-type: application/json')}{"data":[`)
      const closed = once(socket, 'close')
      if (i % 2 === 0) socket.destroy()
      else socket.resetAndDestroy()
      await closed
    }
    await expectAlive(before)
  })
})

describe('bytes that are no HTTP are refused with 4xx, and harm nobody', () => {
  const post = 'POST /serverless/v1/podpools'
  test.each<readonly [string, string]>([
    ['nonsense', 'hello\r\n\r\n'],
    ['TLS', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc'],
    ['a version that is none', 'GET / HTTP/9.9\r\n\r\n'],
    ['no host', 'GET /serverless/v1/podpools HTTP/1.1\r\n\r\n'],
    ['a header of 64 KiB', request('GET /serverless/v1/podpools', `x: ${'a'.repeat(65_536)}`)],
    ['a path of 64 KiB', request(`GET /serverless/v1/podpools/${'a'.repeat(65_536)}`)],
    ['3,000 headers', request('GET /', ...Array.from({ length: 3_000 }, (_, i) => `x-${i}: 1`))],
    ['NUL in a header', request('GET /', 'x: a\u0000b')],
    ['a space in a header name', request('GET /', 'x y: 1')],
    ['two lengths', request(post, 'content-length: 2', 'content-length: 3')],
    ['a length that is none', request(post, 'content-length: two')],
    ['a negative length', request(post, 'content-length: -1')],
    ['length and chunks at once', `${request(post, 'content-length: 4', 'transfer-encoding: chunked')}0\r\n\r\n`],
    ['a chunk that is none', `${request(post, 'transfer-encoding: chunked')}xyz\r\n`],
    ['an unknown coding', `${request(post, 'transfer-encoding: gzip')}x`],
    ['a space in the path', request('GET /a b')],
  ])('%s', async (_name, text) => {
    const before = await app.fingerprint()
    const answer = await exchange(Buffer.from(text, 'latin1'))
    expect(answer).toMatch(/^HTTP\/1\.1 (400|413|414|431|501|505) /)
    await expectAlive(before)
  })
})
