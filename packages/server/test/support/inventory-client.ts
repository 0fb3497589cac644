import { expect } from 'vitest'
import { createAccess } from '../../src/access/access.ts'
import { type InventoryOperation, registerCmdbDialect } from '../../src/http/cmdb-dialect.ts'
import { type App, buildServer } from '../../src/http/server.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { watchAnswers } from './answers-seen.ts'

export type Answer = {
  readonly status: number
  readonly result: boolean
  readonly code: number
  readonly message: string
  // What the operations answer with differs; the tests know what they asked for.
  readonly data: never
  readonly details?: readonly { readonly path: string; readonly message: string }[]
}

type Call = {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly headers?: Readonly<Record<string, string>>
}

export type InventoryClient = {
  readonly app: App
  /** Any answer of the dialect. `url` without a root is under /api/v3. */
  send(url: string, body?: unknown, call?: Call): Promise<Answer>
  /** The `data` of an answer that must be a success. */
  ok<T>(url: string, body?: unknown, call?: Call): Promise<T>
  /** Code and message of an answer that must be an error without data. */
  refused(url: string, body?: unknown, call?: Call): Promise<readonly [code: number, message: string]>
}

/** The inventory's operations on an open server in English, called through `inject`. */
export async function inventoryClient(operations: readonly InventoryOperation[]): Promise<InventoryClient> {
  const access = createAccess({ kind: 'open' })
  const app = await buildServer({
    version: '0.0.0',
    logger: createLogger({ level: 'silent' }),
    metrics: createMetrics(),
    access,
    notReadyBecause: async () => undefined,
    routes: (routes) => {
      watchAnswers(routes, operations)
      return registerCmdbDialect(routes, { access, language: 'en', operations })
    },
  })
  async function send(url: string, body?: unknown, call: Call = {}): Promise<Answer> {
    const answer = await app.inject({
      method: call.method ?? 'POST',
      url: /^\/(api|topo|host)\//.test(url) ? url : `/api/v3${url}`,
      headers: { host: '127.0.0.1:8080', 'content-type': 'application/json', ...call.headers },
      ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    return { status: answer.statusCode, ...answer.json() }
  }
  return {
    app,
    send,
    async ok<T>(url: string, body?: unknown, call?: Call): Promise<T> {
      const answer = await send(url, body, call)
      expect(answer, `${url} ${JSON.stringify(body)}`).toMatchObject({ status: 200, result: true, code: 0 })
      return answer.data as T
    },
    async refused(url, body, call) {
      const answer = await send(url, body, call)
      expect(answer, `${url} ${JSON.stringify(body)}`).toMatchObject({ status: 200, result: false, data: null })
      return [answer.code, answer.message]
    },
  }
}
