import { isNotFound, type KubeClient, type KubeObject, resources } from '../kube/index.ts'
import type { PodBacklog } from './pod-backlog.ts'

/** Up to so many are asked for one by one, beyond all pods of the cluster are listed. */
const maxSingle = 100
const parallel = 8

/**
 * Reads pods that wait without their content: beyond the backlog's bound, or since their rows are not as they were written.
 * Gives how many it has read.
 */
export async function rereadPods(kube: KubeClient, backlog: PodBacklog, signal: AbortSignal): Promise<number> {
  let count = 0
  const unread = [...backlog.waiting()].flatMap(([, pod]) => (pod.kind === 'unread' ? [pod] : []))
  if (unread.length > maxSingle) {
    const fill = (pod: KubeObject): KubeObject => {
      if (backlog.fill(pod)) count += 1
      return nothing
    }
    await kube.list(resources.pods, { transform: fill, timeoutMs: 120_000, signal })
    return count
  }
  let next = 0
  await Promise.all(
    Array.from({ length: parallel }, async () => {
      for (let pod = unread[next++]; pod !== undefined; pod = unread[next++]) {
        const { namespace, name } = pod
        const found = await kube.get(resources.pods, { namespace, name }, { signal }).catch((error: unknown) => {
          // The watch will tell of it.
          if (!isNotFound(error)) throw error
        })
        if (found !== undefined && backlog.fill(found)) count += 1
      }
    }),
  )
  return count
}

/** What is kept of a pod that is listed. */
const nothing: KubeObject = {}
