import { expect } from 'vitest'
import { createReflector, resources } from '../../../packages/server/src/kube/index.ts'
import type { Area, Bench } from './case.ts'
import { isReady, pod, quietPod } from './objects.ts'
import { until } from './wait.ts'
import { openWatch } from './watch-log.ts'

const label = (bench: Bench, namespace: string, name: string, labels: Record<string, string | null>) =>
  bench.kube.patch(resources.pods, { namespace, name }, { type: 'merge', body: { metadata: { labels } } })

const watchPath = (namespace: string, query: string) => `/api/v1/namespaces/${namespace}/pods?watch=true&${query}`

type Line = { readonly type: string; readonly object: { readonly metadata: { readonly resourceVersion: string } } }
const linesOf = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)

export const watchArea: Area = {
  title: 'Watch',
  cases: [
    {
      title: 'a watch resumes at a list’s version and tells every later change once, in order',
      async run(bench) {
        const { kube } = bench
        const namespace = await bench.namespace()
        await kube.create(resources.pods, quietPod('before'), { namespace })
        const { resourceVersion } = await kube.list(resources.pods, { namespace })
        await kube.create(resources.pods, quietPod('a'), { namespace })
        const watch = openWatch(kube, resources.pods, { namespace, resourceVersion })
        await watch.heard(1)
        await label(bench, namespace, 'a', { x: '1' })
        await kube.create(resources.pods, quietPod('b'), { namespace })
        await label(bench, namespace, 'before', { x: '1' })
        await kube.delete(resources.pods, { namespace, name: 'a' }, { gracePeriodSeconds: 0 })
        // The deletion is first seen as a mark.
        await watch.heard(6)
        const expected = ['ADDED a', 'MODIFIED a', 'ADDED b', 'MODIFIED before', 'MODIFIED a', 'DELETED a']
        expect(watch.names()).toEqual(expected)
        const versions = watch.events.map(({ object }) => Number(object.metadata?.resourceVersion))
        expect(versions).toEqual([...versions].sort((a, b) => a - b))
        expect(new Set(versions).size).toBe(6)
        bench.seen('events', watch.events)
        const later = openWatch(kube, resources.pods, { namespace, resourceVersion: String(versions[2]) })
        await later.heard(3)
        expect(later.names()).toEqual(expected.slice(3))
        await Promise.all([watch.stop(), later.stop()])
      },
    },
    {
      title: 'a label selector: objects that come into it are ADDED, that leave it DELETED with their new version',
      async run(bench) {
        const { kube } = bench
        const namespace = await bench.namespace()
        await kube.create(resources.pods, quietPod('in', { x: '1' }), { namespace })
        await kube.create(resources.pods, quietPod('out'), { namespace })
        const { resourceVersion } = await kube.list(resources.pods, { namespace })
        const watch = openWatch(kube, resources.pods, { namespace, resourceVersion, labelSelector: 'x=1' })
        await label(bench, namespace, 'out', { y: '1' })
        await label(bench, namespace, 'out', { x: '1' })
        await label(bench, namespace, 'out', { y: '2' })
        const left = await label(bench, namespace, 'out', { x: null })
        await label(bench, namespace, 'out', { y: '3' })
        const last = await label(bench, namespace, 'in', { x: '2' })
        await kube.delete(resources.pods, { namespace, name: 'in' })
        await kube.delete(resources.pods, { namespace, name: 'out' })
        await kube.create(resources.pods, quietPod('late', { x: '1' }), { namespace })
        await watch.heard(5)
        expect(watch.names()).toEqual(['ADDED out', 'MODIFIED out', 'DELETED out', 'DELETED in', 'ADDED late'])
        expect(watch.events[2]?.object.metadata?.resourceVersion).toBe(left.metadata?.resourceVersion)
        expect(watch.events[3]?.object.metadata?.resourceVersion).toBe(last.metadata?.resourceVersion)
        expect(watch.events[2]?.object.metadata?.labels).toEqual({ x: '1', y: '2' })
        bench.seen('events', watch.events)
        await watch.stop()
      },
    },
    {
      title: 'a field selector: metadata.name, and pods that change phase',
      async run(bench) {
        const { kube } = bench
        const namespace = await bench.namespace()
        const { resourceVersion } = await kube.list(resources.pods, { namespace })
        const named = openWatch(kube, resources.pods, { namespace, resourceVersion, fieldSelector: 'metadata.name=b' })
        const running = openWatch(kube, resources.pods, {
          namespace,
          resourceVersion,
          fieldSelector: 'status.phase=Running',
        })
        await kube.create(resources.pods, quietPod('a'), { namespace })
        await kube.create(resources.pods, pod('b'), { namespace })
        await running.heard(1)
        await named.heard(1)
        expect(running.names()[0]).toBe('ADDED b')
        expect(named.names()[0]).toBe('ADDED b')
        await kube.delete(resources.pods, { namespace, name: 'b' }, { gracePeriodSeconds: 0 })
        await running.until('the end', () => running.names().includes('DELETED b'))
        await named.until('the end', () => named.names().includes('DELETED b'))
        expect(named.names().filter((name) => name.endsWith(' a'))).toEqual([])
        await Promise.all([named.stop(), running.stop()])
      },
    },
    {
      title: 'a watch from version 0 begins with what is there, as ADDED',
      async run(bench) {
        const { kube } = bench
        const namespace = await bench.namespace()
        await kube.create(resources.pods, quietPod('a'), { namespace })
        await kube.create(resources.pods, quietPod('b'), { namespace })
        await kube.list(resources.pods, { namespace })
        const watch = openWatch(kube, resources.pods, { namespace, resourceVersion: '0' })
        await watch.heard(2)
        expect(watch.names().sort()).toEqual(['ADDED a', 'ADDED b'])
        await kube.create(resources.pods, quietPod('c'), { namespace })
        await watch.heard(3)
        expect(watch.names()[2]).toBe('ADDED c')
        await watch.stop()
      },
    },
    {
      title: 'a watch ends by itself after `timeoutSeconds`, with a bookmark before it when asked for',
      async run(bench) {
        const namespace = await bench.namespace()
        await bench.kube.create(resources.pods, quietPod('a'), { namespace })
        const { resourceVersion } = await bench.kube.list(resources.pods, { namespace })
        // The API server sends one two seconds before the end at the latest.
        const query = `resourceVersion=${resourceVersion}&timeoutSeconds=5`
        const [quiet, marked] = await Promise.all([
          bench.request('GET', watchPath(namespace, query)),
          bench.request('GET', watchPath(namespace, `${query}&allowWatchBookmarks=true`)),
        ])
        expect(quiet).toMatchObject({ code: 200, text: '' })
        const lines = linesOf(marked.text)
        expect(lines.length).toBeGreaterThanOrEqual(1)
        for (const { type, object } of lines) {
          expect(type).toBe('BOOKMARK')
          expect(Number(object.metadata.resourceVersion)).toBeGreaterThanOrEqual(Number(resourceVersion))
        }
        bench.seen('bookmark', lines[0])
        // Nothing is lost by going on from a bookmark.
        await bench.kube.create(resources.pods, quietPod('b'), { namespace })
        const watch = openWatch(bench.kube, resources.pods, {
          namespace,
          resourceVersion: lines.at(-1)?.object.metadata.resourceVersion ?? '',
        })
        await watch.heard(1)
        expect(watch.names()).toEqual(['ADDED b'])
        await watch.stop()
      },
    },
    {
      title: '`sendInitialEvents`: what is there, then a bookmark that says so, then changes',
      async run(bench) {
        const namespace = await bench.namespace()
        await bench.kube.create(resources.pods, quietPod('a'), { namespace })
        const initial = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true'
        const answer = await bench.request('GET', watchPath(namespace, `${initial}&timeoutSeconds=5`))
        const lines = linesOf(answer.text)
        expect(lines.slice(0, 2).map(({ type }) => type)).toEqual(['ADDED', 'BOOKMARK'])
        bench.seen('lines', lines.slice(0, 2))
        const bad = await bench.request('GET', watchPath(namespace, 'sendInitialEvents=true'))
        expect(bad.code).toBe(422)
        bench.seen('without match', bad.json)
      },
    },
    {
      title: 'refusal of a watch with a version that is none, or a broken selector',
      async run(bench) {
        const namespace = await bench.namespace()
        for (const query of ['resourceVersion=abc', 'labelSelector=a%20b', 'fieldSelector=spec.nope%3D1']) {
          const { code, json } = await bench.request('GET', watchPath(namespace, `${query}&timeoutSeconds=1`))
          expect(code).toBeGreaterThanOrEqual(400)
          bench.seen(query, { code, json })
        }
      },
    },
    {
      title: 'a watch of one object by its name, of a cluster’s objects, and of all namespaces',
      async run(bench) {
        const { kube } = bench
        const { resourceVersion } = await kube.list(resources.namespaces)
        const spaces = openWatch(kube, resources.namespaces, {
          resourceVersion,
          fieldSelector: `metadata.name=${bench.namespaceName}`,
        })
        const everywhere = openWatch(kube, resources.pods, { resourceVersion, labelSelector: 'everywhere=yes' })
        const namespace = await bench.namespace()
        await kube.create(resources.pods, quietPod('a', { everywhere: 'yes' }), { namespace })
        await spaces.heard(1)
        await everywhere.heard(1)
        expect(spaces.names()[0]).toBe(`ADDED ${namespace}`)
        expect(everywhere.events[0]?.object.metadata).toMatchObject({ name: 'a', namespace })
        await Promise.all([spaces.stop(), everywhere.stop()])
      },
    },
    {
      title: 'a reflector holds exactly what is there, through a pod’s whole life',
      async run(bench) {
        const namespace = await bench.namespace()
        const reflector = createReflector(bench.kube, resources.pods, { namespace, labelSelector: 'x' })
        const stop = new AbortController()
        const changes: string[] = []
        reflector.subscribe(({ before, after }) => {
          const state = (of: typeof before) => (of === undefined ? 'absent' : isReady(of) ? 'ready' : 'not ready')
          const change = `${state(before)} -> ${state(after)}`
          if (changes.at(-1) !== change && state(before) !== state(after)) changes.push(change)
        })
        const running = reflector.run(stop.signal)
        await reflector.synced
        await bench.kube.create(resources.pods, pod('a', { labels: { x: '1' } }), { namespace })
        await until('a Ready pod', () => [...reflector.values()].some(isReady))
        await bench.kube.delete(resources.pods, { namespace, name: 'a' })
        await until('no pod', () => reflector.size === 0)
        expect(changes[0]).toBe('absent -> not ready')
        expect(changes[1]).toBe('not ready -> ready')
        expect(changes.at(-1)).toMatch(/-> absent$/)
        stop.abort()
        await running
      },
    },
  ],
}
