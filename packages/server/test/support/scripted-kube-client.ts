import { afterEach } from 'vitest'
import { createKubeClient, type KubeClient, type KubeConfig, type RequestRecord } from '../../src/kube/index.ts'
import { type Script, type ScriptedServer, startScriptedServer } from './scripted-api-server.ts'

export type ScriptedClient = {
  readonly server: ScriptedServer
  readonly client: KubeClient
  /** What `onRequest` was told. */
  readonly records: RequestRecord[]
}

/** Gives this test file scripted servers with clients for them. What is started, or handed to `closing`, is closed after each test. */
export function useScriptedClients() {
  const started: { close(): Promise<void> }[] = []
  afterEach(async () => {
    for (const each of started.splice(0).reverse()) await each.close()
  })
  return {
    closing: (each: { close(): Promise<void> }) => {
      started.push(each)
    },
    async serve(
      script: Script,
      options: Partial<KubeConfig> & { readonly connections?: number } = {},
    ): Promise<ScriptedClient> {
      const { connections = 32, ...config } = options
      const server = await startScriptedServer(script)
      const records: RequestRecord[] = []
      const client = createKubeClient(
        { server: server.url, namespace: 'default', ...config },
        // No jitter: repeats come at once.
        { connections, random: () => 0, onRequest: (record) => records.push(record) },
      )
      started.push(server, client)
      return { server, client, records }
    },
  }
}

/** What a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => {
      throw new Error('expected a rejection')
    },
    (error: unknown) => error,
  )
}
