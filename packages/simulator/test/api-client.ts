import { onTestFinished } from 'vitest'
import { type Simulator, type SimulatorOptions, startSimulator } from '../src/index.ts'

/** Only what the API tests read of an answer. */
export type Body = {
  readonly kind?: string
  readonly apiVersion?: string
  readonly metadata: Record<string, unknown> & {
    readonly name: string
    readonly resourceVersion: string
    readonly uid: string
  }
  readonly items: readonly Body[]
  readonly message?: string
  readonly reason?: string
  readonly details?: Record<string, unknown>
  readonly [member: string]: unknown
}

export type Answer = { readonly status: number; readonly headers: Headers; readonly body: Body }

export type Client = {
  readonly simulator: Simulator
  readonly call: (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>
  readonly watch: (path: string, headers?: Record<string, string>) => Promise<WatchStream>
}

/** A simulator without controllers, so that objects stay as they are written; stopped at the end of the test. */
export async function startApi(options: SimulatorOptions = {}): Promise<Client> {
  const simulator = await startSimulator({ controllers: false, ...options })
  onTestFinished(() => simulator.stop())
  return clientOf(simulator)
}

export function clientOf(simulator: Simulator): Client {
  const call: Client['call'] = async (method, path, body, headers = {}) => {
    const response = await fetch(`${simulator.url}${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const json = response.headers.get('content-type')?.startsWith('application/json') ?? false
    return { status: response.status, headers: response.headers, body: (json ? JSON.parse(text) : { text }) as Body }
  }
  const watch: Client['watch'] = async (path, headers = {}) => {
    const abort = new AbortController()
    const response = await fetch(`${simulator.url}${path}`, { headers, signal: abort.signal })
    if (response.status !== 200) throw new Error(`watch was answered ${response.status}: ${await response.text()}`)
    onTestFinished(() => abort.abort())
    return new WatchStream(response)
  }
  return { simulator, call, watch }
}

export type WatchLine = { readonly type: string; readonly object: Body }

/** The lines of a watch, one by one. */
export class WatchStream {
  readonly #lines: AsyncGenerator<WatchLine>

  constructor(response: Response) {
    this.#lines = linesOf(response)
  }

  /** The next event; undefined at the end. Rejects when none comes within five seconds. */
  async next(): Promise<WatchLine | undefined> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('no event within 5 s')), 5_000)
    })
    try {
      const { value, done } = await Promise.race([this.#lines.next(), late])
      return done === true ? undefined : value
    } finally {
      clearTimeout(timer)
    }
  }

  /** The next `count` events as `TYPE name`. */
  async names(count: number): Promise<readonly string[]> {
    const found: string[] = []
    while (found.length < count) {
      const line = await this.next()
      found.push(line === undefined ? 'END' : `${line.type} ${line.object.metadata.name}`)
    }
    return found
  }
}

async function* linesOf(response: Response): AsyncGenerator<WatchLine> {
  let rest = ''
  for await (const chunk of (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield JSON.parse(line) as WatchLine
  }
}

export const configMaps = '/api/v1/namespaces/default/configmaps'
export const pods = '/api/v1/namespaces/default/pods'

export function configMap(name: string, more: { readonly labels?: object; readonly data?: object } = {}) {
  const { labels, ...rest } = more
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, ...(labels === undefined ? {} : { labels }) },
    ...rest,
  }
}

export function pod(name: string, spec: object = {}) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { containers: [{ name: 'main', image: 'busybox:1' }], ...spec },
  }
}
