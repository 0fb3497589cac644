import { connect, type Socket } from 'node:net'

export type Answer = { readonly status: number; readonly text: string }

/**
 * A load generator's HTTP/1.1 client: keep-alive connections, one request at a time on each, nothing but what a JSON API
 * needs. On a machine of two cores the generator's own CPU would otherwise be a good part of what is measured.
 */
export type LoadClient = {
  /** Sends when a connection is free, in the order of the calls. A text is the body as it is. */
  send(method: string, path: string, body?: object | string): Promise<Answer>
  close(): void
}

type Job = {
  readonly bytes: string
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: Error) => void
}

export function createLoadClient(url: string, connections: number, token?: string): LoadClient {
  const { hostname, port, host } = new URL(url)
  const authorization = token === undefined ? '' : `authorization: Bearer ${token}\r\n`
  const free: Lane[] = []
  const lanes: Lane[] = []
  const waiting: Job[] = []
  let first = 0

  const onFree = (lane: Lane) => {
    const job = waiting[first]
    if (job === undefined) return void free.push(lane)
    first += 1
    if (first > 1_024) {
      waiting.splice(0, first)
      first = 0
    }
    lane.run(job)
  }

  return {
    send(method, path, body) {
      const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)
      const bytes = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${authorization}content-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
      return new Promise((resolve, reject) => {
        const job = { bytes, resolve, reject }
        const lane = takeFree() ?? openLane()
        if (lane === undefined) waiting.push(job)
        else lane.run(job)
      })
    },
    close() {
      for (const lane of lanes) lane.close()
    },
  }

  /** The server closes what has been idle for long: a request on such a connection would never be answered. */
  function takeFree(): Lane | undefined {
    for (let lane = free.pop(); lane !== undefined; lane = free.pop()) {
      if (!lane.isClosed()) return lane
      lanes.splice(lanes.indexOf(lane), 1)
    }
    return undefined
  }

  function openLane(): Lane | undefined {
    if (lanes.length >= connections) return undefined
    const lane = createLane(connect({ host: hostname, port: Number(port), noDelay: true }), onFree)
    lanes.push(lane)
    return lane
  }
}

type Lane = { run(job: Job): void; isClosed(): boolean; close(): void }

function createLane(socket: Socket, onFree: (lane: Lane) => void): Lane {
  let job: Job | undefined
  let received: Buffer = Buffer.alloc(0)
  const lane: Lane = {
    run(next) {
      job = next
      socket.write(next.bytes)
    },
    isClosed: () => socket.destroyed || socket.readableEnded,
    close: () => void socket.destroy(),
  }
  const fail = (error: Error) => {
    job?.reject(error)
    job = undefined
  }
  socket.on('error', fail)
  socket.on('close', () => fail(new Error('the server closed the connection')))
  socket.on('data', (chunk) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    const headEnd = received.indexOf('\r\n\r\n')
    if (headEnd < 0) return
    const head = received.toString('latin1', 0, headEnd)
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? Number.NaN)
    if (Number.isNaN(length)) return fail(new Error(`an answer without a length: ${head}`))
    if (received.length < headEnd + 4 + length) return
    const answer = {
      status: Number(head.slice(9, 12)),
      text: received.toString('utf8', headEnd + 4, headEnd + 4 + length),
    }
    received = received.subarray(headEnd + 4 + length)
    const done = job
    job = undefined
    onFree(lane)
    done?.resolve(answer)
  })
  return lane
}
