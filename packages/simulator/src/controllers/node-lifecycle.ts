import type { StoredObject } from '../store/types.ts'
import { type Node, type Pod, type Taint, viewAs } from '../validation/kube-types.ts'
import { isSame } from '../validation/same.ts'
import { type ControllerContext, keyOf, parseKey } from './context.ts'
import { beginDeletion } from './deletion.ts'
import { isNodeReady } from './kubelet.ts'
import { tolerates } from './node-filter.ts'
import { conditionOf, isReady, isTerminating, withCondition } from './pod-state.ts'
import type { WorkQueue } from './queue.ts'

const NOT_READY = 'node.kubernetes.io/not-ready'
const UNREACHABLE = 'node.kubernetes.io/unreachable'
const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable'
const MANAGED = new Set([NOT_READY, UNREACHABLE, UNSCHEDULABLE])

/**
 * What happens to pods when nodes fail: taints from a node's conditions, pods that are no longer Ready, eviction of
 * pods that do not tolerate a NoExecute taint (in time), removal of pods whose node is gone.
 */
export class NodeLifecycleController {
  readonly #context: ControllerContext
  readonly #nodes: WorkQueue
  readonly #pods: WorkQueue
  /** Since when a pod's node has taints that the pod cannot bear for ever, by pod uid, in milliseconds. */
  readonly #taintedSince = new Map<string, number>()

  constructor(context: ControllerContext) {
    this.#context = context
    this.#nodes = context.queue('node lifecycle', (name) => this.#syncNode(name))
    this.#pods = context.queue('pod eviction', (key) => this.#syncPod(key))
    context.follow('nodes', ({ object }) => this.#nodes.add(object.metadata.name))
    context.follow('pods', ({ type, object, before }) => {
      const { spec } = viewAs<Pod>(object)
      if (type === 'DELETED') this.#taintedSince.delete(object.metadata.uid)
      else if ((spec.nodeName ?? '') !== '' && before?.spec !== object.spec) this.#pods.add(keyOf(object))
    })
  }

  #syncNode(name: string): void {
    const { store } = this.#context
    const stored = store.get('nodes', { name })
    this.#nodes.forget(name)
    if (stored !== undefined) this.#taint(stored)
    for (const pod of store.list('pods')) if (viewAs<Pod>(pod).spec.nodeName === name) this.#pods.add(keyOf(pod))
  }

  #taint(stored: StoredObject): void {
    const node = viewAs<Node>(stored)
    const wanted = conditionTaints(node)
    const others = (node.spec?.taints ?? []).filter((taint) => !MANAGED.has(taint.key))
    const known = (node.spec?.taints ?? []).filter((taint) => MANAGED.has(taint.key))
    if (isSame(known.map(bare), wanted)) return
    const time = this.#context.timestamp()
    const taints = [
      ...others,
      ...wanted.map((taint) => (taint.effect === 'NoExecute' ? { ...taint, timeAdded: time } : taint)),
    ]
    this.#context.store.update('nodes', { name: node.metadata.name }, (current) => {
      const { taints: _old, ...spec } = viewAs<Node>(current).spec ?? {}
      return { ...current, spec: { ...spec, ...(taints.length === 0 ? {} : { taints }) } }
    })
  }

  #syncPod(key: string): void {
    const { store } = this.#context
    const stored = store.get('pods', parseKey(key))
    this.#pods.forget(key)
    if (stored === undefined) return
    const pod = viewAs<Pod>(stored)
    const found = store.get('nodes', { name: pod.spec.nodeName ?? '' })
    if (found === undefined) {
      store.remove('pods', parseKey(key))
      return
    }
    const node = viewAs<Node>(found)
    if (!isNodeReady(node) && isReady(pod)) this.#markNotReady(key)
    if (!isTerminating(pod)) this.#evict(key, stored, pod, node)
  }

  #markNotReady(key: string): void {
    const time = this.#context.timestamp()
    this.#context.store.update('pods', parseKey(key), (current) => {
      const { status, metadata } = viewAs<Pod>(current)
      const known = conditionOf(status?.conditions, 'Ready')
      return {
        ...current,
        status: {
          ...status,
          conditions: withCondition(status?.conditions, {
            ...known,
            type: 'Ready',
            status: 'False',
            lastProbeTime: null,
            lastTransitionTime: time,
            observedGeneration: metadata.generation ?? 1,
          }),
        },
      }
    })
  }

  #evict(key: string, stored: StoredObject, pod: Pod, node: Node): void {
    const now = this.#context.now().getTime()
    const seconds = toleratedSeconds(pod, node.spec?.taints ?? [])
    if (seconds === undefined) {
      this.#taintedSince.delete(pod.metadata.uid)
      return
    }
    const since = this.#taintedSince.get(pod.metadata.uid) ?? now
    this.#taintedSince.set(pod.metadata.uid, since)
    const left = since + seconds * 1000 - now
    if (left > 0) {
      this.#pods.addAfter(key, left)
      return
    }
    const message = `Marking for deletion Pod ${key}`
    this.#context.events.record(stored, {
      type: 'Normal',
      reason: 'TaintManagerEviction',
      message,
      source: 'taint-eviction-controller',
    })
    beginDeletion(this.#context.store, 'pods', parseKey(key), this.#context.now())
  }
}

const bare = ({ key, effect }: Taint): Taint => ({ key, effect })

/** The taints that a node's conditions and its cordon mean. */
export function conditionTaints(node: Node): readonly Taint[] {
  const ready = conditionOf(node.status?.conditions, 'Ready')
  const key = ready?.status === 'Unknown' ? UNREACHABLE : NOT_READY
  const failing =
    ready === undefined || ready.status === 'True'
      ? []
      : [
          { key, effect: 'NoSchedule' },
          { key, effect: 'NoExecute' },
        ]
  return [...failing, ...(node.spec?.unschedulable === true ? [{ key: UNSCHEDULABLE, effect: 'NoSchedule' }] : [])]
}

/** How long a pod bears the NoExecute taints: undefined for ever, 0 not at all. */
export function toleratedSeconds(pod: Pod, taints: readonly Taint[]): number | undefined {
  let least: number | undefined
  for (const taint of taints.filter(({ effect }) => effect === 'NoExecute')) {
    const matching = (pod.spec.tolerations ?? []).filter((toleration) => tolerates([toleration], taint))
    if (matching.length === 0) return 0
    for (const { tolerationSeconds } of matching) {
      if (tolerationSeconds === undefined) continue
      least = Math.min(least ?? Number.POSITIVE_INFINITY, Math.max(0, tolerationSeconds))
    }
  }
  return least
}
