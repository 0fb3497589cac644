import type { IncomingHttpHeaders } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import { ControlPlaneError } from './control-plane-error.ts'

/** An answer of the API server, whatever its status. */
export type ApiAnswer = {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The body as JSON; undefined where it is none. */
  readonly json: unknown
}

export type Api = {
  /**
   * Sends one request. Rejects only when there is no answer (refused, reset, or none within 60 s).
   *
   * @param body sent as JSON
   * @param contentType of the body; `application/json` unless a patch says otherwise
   */
  request(method: string, path: string, body?: unknown, contentType?: string): Promise<ApiAnswer>
  close(): void
}

/** A client of nothing but Node, to set up and to look at a cluster; Podyard's own is what is to be tested. */
export function openApi(at: { readonly url: string; readonly caData: string; readonly token: string }): Api {
  const agent = new Agent({ keepAlive: true, maxSockets: 16, ca: Buffer.from(at.caData, 'base64') })
  return {
    request: (method, path, body, contentType = 'application/json') =>
      new Promise((resolve, reject) => {
        const payload = body === undefined ? undefined : JSON.stringify(body)
        const headers = {
          authorization: `Bearer ${at.token}`,
          accept: 'application/json',
          ...(payload === undefined ? {} : { 'content-type': contentType }),
        }
        const outgoing = httpsRequest(new URL(path, at.url), { method, headers, agent, timeout: 60_000 })
        outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${path}: no answer in 60 s`)))
        outgoing.on('error', reject)
        outgoing.on('response', (response) => {
          let text = ''
          response.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk
          })
          response.on('error', reject)
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: parsed(text) }),
          )
        })
        outgoing.end(payload)
      }),
    close: () => agent.destroy(),
  }
}

/** Sends a request that has to succeed, and returns the answer's JSON. */
export async function must<T = unknown>(api: Api, method: string, path: string, body?: unknown): Promise<T> {
  const answer = await api.request(method, path, body)
  if (answer.status >= 300)
    throw new ControlPlaneError(`${method} ${path}: ${answer.status} ${answer.text.slice(0, 1_000)}`)
  return answer.json as T
}

/** One call of etcd's JSON gateway, https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/. */
export async function etcdCall(url: string, path: string, body: object): Promise<unknown> {
  const answer = await fetch(new URL(path, url), {
    method: 'POST',
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(60_000),
  })
  const text = await answer.text()
  if (!answer.ok) throw new ControlPlaneError(`etcd answers ${path} with ${answer.status}: ${text.slice(0, 500)}`)
  return JSON.parse(text)
}

/**
 * Asks again until the answer is true, and rejects after `limitMs`. A question that fails counts as a no; its error is
 * told at the end.
 *
 * @param options.check called before each question; what it throws ends the wait at once
 */
export async function until(
  what: string,
  ask: () => Promise<boolean> | boolean,
  options: { readonly limitMs: number; readonly check?: () => void; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const end = performance.now() + options.limitMs
  let failure: unknown
  for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 1.3, 250)) {
    options.signal?.throwIfAborted()
    options.check?.()
    try {
      if (await ask()) return
      failure = undefined
    } catch (error) {
      failure = error
    }
    if (performance.now() > end) {
      const seconds = Math.round(options.limitMs / 1000)
      const because = failure instanceof Error ? ` (${failure.message})` : ''
      throw new ControlPlaneError(`gave up after ${seconds} s waiting for ${what}${because}`)
    }
    await delay(pauseMs, undefined, { signal: options.signal })
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
