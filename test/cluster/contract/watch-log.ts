import {
  type KubeClient,
  KubeError,
  type KubeObject,
  type Resource,
  type WatchEvent,
} from '../../../packages/server/src/kube/index.ts'
import { until } from './wait.ts'

/** A watch that gathers what it hears. */
export function openWatch<T extends KubeObject>(
  kube: KubeClient,
  resource: Resource<T>,
  options: {
    readonly namespace?: string
    readonly labelSelector?: string
    readonly fieldSelector?: string
    readonly resourceVersion: string
  },
) {
  const events: Exclude<WatchEvent<T>, { type: 'BOOKMARK' }>[] = []
  const stop = new AbortController()
  let failure: unknown
  const done = (async () => {
    try {
      for await (const event of kube.watch(resource, { ...options, signal: stop.signal })) {
        if (event.type !== 'BOOKMARK') events.push(event)
      }
    } catch (error) {
      if (!stop.signal.aborted) failure = error
    }
  })()
  return {
    events,
    /** `ADDED a`, ... */
    names: () => events.map(({ type, object }) => `${type} ${object.metadata?.name}`),
    async heard(count: number) {
      const enough = () => {
        if (failure !== undefined) throw failure
        return events.length >= count
      }
      await until(`${count} events`, enough, { shown: () => events.map(({ type, object }) => [type, object.metadata]) })
    },
    async until(what: string, holds: () => boolean) {
      const check = () => {
        if (failure !== undefined) throw failure
        return holds()
      }
      await until(what, check, { shown: () => events.map(({ type, object }) => [type, object.metadata?.name]) })
    },
    /** The KubeError that ended it. */
    async refused(): Promise<KubeError> {
      await done
      if (!(failure instanceof KubeError)) throw failure ?? new Error('the watch ended without an error')
      return failure
    },
    async stop() {
      stop.abort()
      await done
    },
  }
}
