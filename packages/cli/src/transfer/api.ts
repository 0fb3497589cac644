import { setTimeout as delay } from 'node:timers/promises'
import { Refusal, TransferProblem } from './problems.ts'

export type ApiOptions = {
  /** Where the paths `/api/v3/...` hang, such as `http://127.0.0.1:8080` or a gateway's base. */
  readonly server: string
  readonly token?: string | undefined
  /** Further headers, such as a gateway's credentials. */
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  /** Told when a request is tried again. */
  readonly onRetry: (reason: string) => void
}

/** The container API of a Podyard or of what it replaces. */
export type Api = {
  /** The `data` of an answer. Throws `Refusal`, or `TransferProblem` when the server cannot be used. */
  call<T>(method: 'POST' | 'PUT', path: string, body: object): Promise<T>
}

type Envelope = {
  readonly result?: boolean
  readonly code?: number
  readonly bk_error_code?: number
  readonly message?: string
  readonly bk_error_msg?: string
  readonly data?: unknown
  readonly details?: readonly { readonly path: string; readonly message: string }[]
}

const timeoutMs = 120_000
/** Seconds before each further attempt: a restart or a fail-over passes in that time. Every call may be repeated. */
const retrySeconds = [0.5, 1, 2, 4, 8, 8, 8, 8, 8]
const worthRetrying: ReadonlySet<number> = new Set([429, 502, 503, 504])

export function createApi(options: ApiOptions): Api {
  const base = options.server.replace(/\/+$/, '').replace(/\/api\/v3$/, '')
  const headers = {
    'content-type': 'application/json',
    ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
    ...options.headers,
  }

  async function once(method: string, url: string, body: string): Promise<Response | string> {
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(timeoutMs)])
    try {
      const answer = await fetch(url, { method, headers, body, signal })
      if (!worthRetrying.has(answer.status)) return answer
      await answer.body?.cancel()
      return `${url} answered ${answer.status}`
    } catch (error) {
      options.signal.throwIfAborted()
      const { cause, message } = error as Error
      return `${url}: ${(cause as NodeJS.ErrnoException | undefined)?.code ?? message}`
    }
  }

  return {
    async call<T>(method: 'POST' | 'PUT', path: string, body: object): Promise<T> {
      const url = `${base}/api/v3${path}`
      const text = JSON.stringify(body)
      let failure = ''
      for (const seconds of [0, ...retrySeconds]) {
        if (seconds > 0) {
          options.onRetry(failure)
          await delay(seconds * 1000, undefined, { signal: options.signal })
        }
        const answer = await once(method, url, text)
        if (typeof answer !== 'string') return read(url, answer) as Promise<T>
        failure = answer
      }
      throw new TransferProblem(`the server does not answer (${failure}); the same command goes on where it stopped`)
    },
  }
}

async function read(url: string, answer: Response): Promise<unknown> {
  const text = await answer.text()
  let envelope: Envelope
  try {
    envelope = JSON.parse(text) as Envelope
    if (typeof envelope !== 'object' || envelope === null) throw new SyntaxError('no object')
  } catch {
    throw new TransferProblem(
      `${url} answered ${answer.status} and no JSON: is --server the address of a Podyard, or of a CMDB's API?`,
    )
  }
  if (answer.status === 401 || answer.status === 403)
    throw new TransferProblem(
      `the server refuses the credentials (${detailsText(envelope)}): give --token-file, PODYARD_ADMIN_TOKEN or --header`,
    )
  const code = envelope.code ?? envelope.bk_error_code ?? -1
  if (envelope.result === true && code === 0) return envelope.data
  if (answer.status === 404 || code === -1)
    throw new TransferProblem(`${url} is not there: is --server the address of a Podyard, or of a CMDB's API?`)
  const message = envelope.message ?? envelope.bk_error_msg ?? `HTTP ${answer.status}`
  throw new Refusal(code, message, envelope.details ?? [], envelope.data)
}

const detailsText = (envelope: Envelope) => envelope.details?.[0]?.message ?? envelope.message ?? 'no reason given'
