import { expect } from 'vitest'
import { createReflector, resources } from '../../../packages/server/src/kube/index.ts'
import type { Area } from './case.ts'
import { quietPod } from './objects.ts'
import { eventually, until } from './wait.ts'
import { openWatch } from './watch-log.ts'

type Page = { readonly metadata: { readonly continue: string; readonly resourceVersion: string } }

export const historyArea: Area = {
  title: 'Compacted history',
  cases: [
    {
      title: 'a continued list and a resumed watch from before are 410; the client’s list and reflector go on',
      alone: true,
      async run(bench) {
        const { kube } = bench
        const namespace = await bench.namespace()
        for (const name of ['a', 'b', 'c']) await kube.create(resources.pods, quietPod(name), { namespace })
        const path = `/api/v1/namespaces/${namespace}/pods`
        const page = (await bench.request('GET', `${path}?limit=1`)).json as Page
        const { resourceVersion, continue: token } = page.metadata

        const reflector = createReflector(kube, resources.pods, { namespace })
        const stop = new AbortController()
        const running = reflector.run(stop.signal)
        await reflector.synced

        await kube.delete(resources.pods, { namespace, name: 'a' })
        await kube.create(resources.pods, quietPod('d'), { namespace })
        await bench.forget()

        const continued = await eventually(
          'a 410',
          () => bench.request('GET', `${path}?limit=1&continue=${token}`),
          ({ code }) => code === 410,
        )
        const body = continued.json as Page & { readonly reason: string; readonly message: string }
        expect(body.reason).toBe('Expired')
        bench.seen('410 of a continue', { ...body, metadata: { continue: body.metadata.continue !== '' } })
        // The answer's own token goes on at the newest version, as its message says.
        const rest = await bench.request('GET', `${path}?continue=${body.metadata.continue}`)
        expect(rest.code).toBe(200)
        expect(
          (rest.json as { items: { metadata: { name: string } }[] }).items.map((one) => one.metadata.name),
        ).toEqual(['b', 'c', 'd'])

        const exact = await bench.request(
          'GET',
          `${path}?resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`,
        )
        expect(exact.code).toBe(410)
        bench.seen('410 of a list', exact.json)

        const watch = openWatch(kube, resources.pods, { namespace, resourceVersion })
        const refused = await watch.refused()
        expect(refused).toMatchObject({ code: 410, reason: 'Expired' })
        expect(refused.message).toMatch(/^too old resource version: \d+ \(\d+\)$/)

        await until('the reflector to hold the newest', () => reflector.get(namespace, 'd') !== undefined)
        expect([...reflector.values()].map(({ metadata }) => metadata?.name).sort()).toEqual(['b', 'c', 'd'])
        await kube.create(resources.pods, quietPod('e'), { namespace })
        await until('the reflector to go on', () => reflector.get(namespace, 'e') !== undefined)
        stop.abort()
        await running
        const all = await kube.list(resources.pods, { namespace, pageSize: 1 })
        expect(all.items).toHaveLength(4)
      },
    },
  ],
}
