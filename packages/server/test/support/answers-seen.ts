import { afterEach, beforeEach } from 'vitest'
import type { InventoryOperation } from '../../src/http/cmdb-dialect.ts'
import type { App } from '../../src/http/server.ts'

declare module 'vitest' {
  interface TaskMeta {
    /** What the inventory answered in this test: `POST createmany/kube/pod 1199014`, each once. */
    answers?: string[]
  }
}

/**
 * Which endpoint gave which code in which test: what the conformance table of the guide stands on
 * (`scripts/conformance-reporter.mjs`). Imported by whatever serves the inventory to tests.
 */
let answers: Set<string> | undefined
beforeEach(() => {
  answers = new Set()
})
afterEach(({ task }) => {
  if (answers !== undefined && answers.size > 0) task.meta.answers = [...answers].sort()
  answers = undefined
})

/** Writes down what the operations answer from now on. */
export function watchAnswers(app: App, operations: readonly InventoryOperation[]): void {
  const names = new Map<string, string>()
  for (const o of operations) {
    const endpoint = `${o.method} ${o.path.slice(1).replace(/:(\w+)/g, '{$1}')}`
    names.set(`/${o.name}`, endpoint)
    for (const path of [o.path, ...(o.otherPaths ?? [])]) names.set(`${o.method} ${path}`, endpoint)
  }
  app.addHook('onSend', async (request, _reply, payload) => {
    const code = typeof payload === 'string' ? /^\{"result":\w+,"code":(-?\d+)/.exec(payload)?.[1] : undefined
    const path = (request.routeOptions.url ?? '').replace(/^.*?\/(v3|cc)(?=\/)/, '').replace(/\/$/, '')
    const endpoint = names.get(`${request.method} ${path}`) ?? names.get(path)
    if (code !== undefined && endpoint !== undefined) answers?.add(`${endpoint} ${code}`)
    return payload
  })
}
