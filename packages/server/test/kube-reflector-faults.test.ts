import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createKubeClient, createReflector, type KubeObject, resources } from '../src/kube/index.ts'
import { type ModelServer, startModelServer } from './support/model-api-server.ts'
import { until } from './support/scripted-api-server.ts'

const name = fc.integer({ min: 0, max: 9 }).map((index) => `p${index}`)

/** What may happen to a server, writes most often. `pause` lets the reflector see what has happened so far. */
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('write' as const), name }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('remove' as const), name }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('pause' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('compact' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('drop' as const), inLine: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('bookmark' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('refuse' as const), count: fc.integer({ min: 1, max: 7 }) }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

async function perform(server: ModelServer, each: Step): Promise<void> {
  switch (each.do) {
    case 'write':
      return server.write(each.name)
    case 'remove':
      return server.remove(each.name)
    case 'compact':
      return server.compact()
    case 'drop':
      return server.dropWatches(each.inLine)
    case 'end':
      return server.endWatches()
    case 'bookmark':
      return server.sendBookmarks()
    case 'refuse':
      return server.refuse(each.count)
    case 'pause':
      // A few turns of the event loop: enough for a request to arrive, not for everything to settle.
      for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate)
  }
}

/** Objects as text, in one order. */
function textOf(objects: Iterable<KubeObject>): string {
  return [...objects]
    .map(({ metadata }) => `${metadata?.name} ${metadata?.uid} ${metadata?.resourceVersion}`)
    .sort()
    .join('\n')
}

test('a reflector, and whoever adds up its changes, ends equal to the server whatever happens on the way', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 120 }), async (steps) => {
      const server = await startModelServer()
      const client = createKubeClient({ server: server.url, namespace: 'default' })
      const reflector = createReflector(client, resources.pods, { pageSize: 3, backoff: { baseMs: 1, maxMs: 4 } })
      const told = new Map<string | undefined, KubeObject>()
      let mistold = 0
      reflector.subscribe(({ before, after }) => {
        const key = (after ?? before)?.metadata?.name
        if (told.get(key) !== before) mistold += 1
        if (after === undefined) told.delete(key)
        else told.set(key, after)
      })
      const controller = new AbortController()
      const run = reflector.run(controller.signal)
      try {
        for (const each of steps) await perform(server, each)
        await until('the reflector is equal to the server', () => {
          return reflector.isSynced && textOf(reflector.values()) === textOf(server.objects())
        })
        expect(textOf(told.values())).toBe(textOf(server.objects()))
        expect(mistold).toBe(0)
      } finally {
        controller.abort()
        await run
        await client.close()
        await server.close()
      }
    }),
    { numRuns: 40 },
  )
})
