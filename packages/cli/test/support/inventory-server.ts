import { afterAll, beforeAll } from 'vitest'
import { businessOperations } from '../../../server/src/inventory/business-operations.ts'
import { hostOperations } from '../../../server/src/inventory/host-operations.ts'
import { kubeOperations } from '../../../server/src/inventory/kube-operations.ts'
import { listOperations } from '../../../server/src/inventory/list-operations.ts'
import type { Database } from '../../../server/src/store/database.ts'
import { useDatabase } from '../../../server/test/support/database.ts'
import { type InventoryClient, inventoryClient } from '../../../server/test/support/inventory-client.ts'
import { emptyInventory } from '../../../server/test/support/kube-rows.ts'

export type InventoryServer = {
  readonly db: Database
  /** Calls without the network. */
  readonly api: InventoryClient
  /** Where `podyard export` and `import` find it. */
  readonly url: string
  /** Called with each path before its answer goes out; the answer waits for it. */
  onAnswer: (path: string) => unknown
  /** Whether a request is answered as if the database were away. */
  isAway: (path: string) => boolean
  /** Changes an answer's text. */
  rewrite: (path: string, text: string) => string
  empty(): Promise<void>
}

/** An inventory of its own, served on a port of loopback. */
export function useInventoryServer(): InventoryServer {
  const t = useDatabase()
  const state = {
    api: undefined as unknown as InventoryClient,
    url: '',
    onAnswer: (_path: string): unknown => undefined,
    isAway: (_path: string) => false,
    rewrite: (_path: string, text: string) => text,
    get db() {
      return t.db
    },
    async empty() {
      state.onAnswer = () => undefined
      state.isAway = () => false
      state.rewrite = (_path, text) => text
      await emptyInventory(t.db)
    },
  }
  beforeAll(async () => {
    state.api = await inventoryClient([
      ...businessOperations(t.db),
      ...hostOperations(t.db),
      ...kubeOperations({ db: t.db, now: Date.now }),
      ...listOperations(t.db),
    ])
    state.api.app.addHook('onRequest', async (request, reply) => {
      if (state.isAway(request.url.replace('/api/v3', ''))) return reply.code(503).send('away')
    })
    state.api.app.addHook('onSend', async (request, _reply, payload) => {
      const path = request.url.replace('/api/v3', '')
      await state.onAnswer(path)
      return typeof payload === 'string' ? state.rewrite(path, payload) : payload
    })
    state.url = await state.api.app.listen({ host: '127.0.0.1', port: 0 })
  })
  afterAll(() => state.api?.app.close())
  return state
}
