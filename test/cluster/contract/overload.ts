import { expect } from 'vitest'
import { resources } from '../../../packages/server/src/kube/index.ts'
import type { Area } from './case.ts'
import { refusal } from './objects.ts'
import { openRequests } from './target.ts'

export const overloadArea: Area = {
  title: 'Overload',
  cases: [
    {
      title: '429 with Retry-After of an overloaded server; the client repeats, and gives up at its deadline',
      alone: true,
      async run(bench) {
        const { throttled, throttledConfig } = bench
        const requests = openRequests(throttledConfig)
        const release = await bench.overload()
        let released = false
        const end = async () => {
          if (!released) await release()
          released = true
        }
        try {
          const { code, headers, text } = await requests.send('GET', '/api/v1/namespaces/default/pods')
          expect(code).toBe(429)
          expect(headers['retry-after']).toBe('1')
          bench.seen('answer', { type: headers['content-type'], text })
          const get = throttled.get(resources.namespaces, { name: 'default' }, { timeoutMs: 3_000 })
          const refused = await refusal(get)
          expect(refused).toMatchObject({ code: 429, retryAfterSeconds: 1 })
          bench.seen('refusal', refused)
          const patient = throttled.get(resources.namespaces, { name: 'default' }, { timeoutMs: 60_000 })
          await end()
          expect((await patient).metadata?.name).toBe('default')
        } finally {
          await end()
          await requests.close()
        }
      },
    },
  ],
}
