import type { StoredObject } from '../store/types.ts'
import { type LabelSelector, type Node, type Pod, viewAs } from '../validation/kube-types.ts'
import { matchesSelector } from '../validation/selector.ts'
import { type ControllerContext, keyOf, parseKey } from './context.ts'
import { claimMessage, type FilterContext, filterNodes, unschedulableMessage } from './node-filter.ts'
import { NodeInfoCache } from './node-info.ts'
import { bestNode } from './node-score.ts'
import { PodCounts } from './pod-counts.ts'
import { conditionOf, isFinished, withCondition } from './pod-state.ts'
import type { WorkQueue } from './queue.ts'

const SOURCE = 'default-scheduler'
const FIRST_BACKOFF_MS = 50
const LONGEST_BACKOFF_MS = 5000
/** Labels that a pod gets from its node when it is bound. */
const TOPOLOGY_LABELS = ['topology.kubernetes.io/region', 'topology.kubernetes.io/zone']

/** Gives pods without a node the best one that fits, or tells why none does; tries again when the cluster changes. */
export class Scheduler {
  readonly #context: ControllerContext
  readonly #queue: WorkQueue
  readonly #delayMs: number
  readonly #nodes = new NodeInfoCache()
  readonly #counts = new PodCounts()
  readonly #antiAffine = new Map<string, Pod>()
  /** Pods that fit nowhere, and how often they were tried. */
  readonly #waiting = new Map<string, number>()

  constructor(context: ControllerContext, delayMs: number) {
    this.#context = context
    this.#delayMs = delayMs
    this.#queue = context.queue('scheduler', (key) => this.#schedule(key))
    context.follow('nodes', ({ type, object }) => {
      if (type === 'DELETED') this.#nodes.removeNode(object.metadata.name)
      else this.#nodes.setNode(viewAs<Node>(object))
      this.#retryWaiting()
    })
    context.follow('pods', ({ type, object, before }) => this.#note(type === 'DELETED', object, before))
    for (const plural of ['persistentvolumeclaims', 'persistentvolumes', 'namespaces']) {
      context.watch(plural, () => this.#retryWaiting())
    }
  }

  #note(deleted: boolean, object: StoredObject, before: StoredObject | undefined): void {
    const pod = viewAs<Pod>(object)
    const present = !deleted && !isFinished(pod)
    const key = keyOf(object)
    // Only what scheduling reads: a status alone changes nothing here.
    const same =
      present &&
      before !== undefined &&
      before.spec === object.spec &&
      before.metadata.labels === object.metadata.labels &&
      before.metadata.deletionTimestamp === object.metadata.deletionTimestamp &&
      !isFinished(viewAs<Pod>(before))
    if (same) return
    this.#nodes.setPod(pod, present)
    this.#counts.set(pod, present)
    const far = pod.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
    if (present && far.length > 0 && (pod.spec.nodeName ?? '') !== '') this.#antiAffine.set(pod.metadata.uid, pod)
    else this.#antiAffine.delete(pod.metadata.uid)
    if (!present) {
      this.#waiting.delete(key)
      this.#retryWaiting()
    } else if (isToSchedule(pod)) {
      if (before === undefined) this.#queue.addAfter(key, this.#delayMs)
      else this.#queue.add(key)
    } else if ((pod.spec.nodeName ?? '') !== '') {
      this.#waiting.delete(key)
      if (this.#waiting.size > 0) this.#retryWaiting()
    }
  }

  /** The more often a pod was tried in vain, the later it is tried again. */
  #retryWaiting(): void {
    for (const [key, tries] of this.#waiting) {
      this.#queue.addAfter(key, Math.min(FIRST_BACKOFF_MS * 2 ** (tries - 1), LONGEST_BACKOFF_MS))
    }
  }

  #schedule(key: string): void {
    const stored = this.#context.store.get('pods', parseKey(key))
    if (stored === undefined) return
    const pod = viewAs<Pod>(stored)
    if (!isToSchedule(pod)) return
    const nodes = this.#nodes.list()
    const claim = this.#claimProblem(pod)
    if (claim !== undefined) {
      this.#refuse(key, stored, nodes.length === 0 ? unschedulableMessage([]) : claimMessage(claim, nodes.length))
      return
    }
    const context = this.#filterContext(nodes)
    const { fitting, refusals } = filterNodes(pod, context)
    const best = bestNode(pod, fitting, context)
    if (best === undefined) this.#refuse(key, stored, unschedulableMessage(refusals))
    else this.#bind(key, stored, best.node)
  }

  #filterContext(nodes: FilterContext['nodes']): FilterContext {
    return {
      nodes,
      count: (question) => this.#counts.perNode(question),
      namespacesMatching: (selector: LabelSelector) =>
        [...this.#context.store.list('namespaces')]
          .filter((namespace) => matchesSelector(selector, namespace.metadata.labels))
          .map((namespace) => namespace.metadata.name),
      antiAffine: this.#antiAffine.values(),
    }
  }

  #claimProblem(pod: Pod): string | undefined {
    const namespace = pod.metadata.namespace ?? ''
    for (const { persistentVolumeClaim } of pod.spec.volumes ?? []) {
      if (persistentVolumeClaim === undefined) continue
      const name = persistentVolumeClaim.claimName
      const claim = this.#context.store.get('persistentvolumeclaims', { namespace, name })
      if (claim === undefined) return `persistentvolumeclaim "${name}" not found`
      if (claim.metadata.deletionTimestamp !== undefined) return `persistentvolumeclaim "${name}" is being deleted`
      const { phase } = (claim.status ?? {}) as { readonly phase?: string }
      if (phase === 'Lost') {
        const { volumeName = '' } = (claim.spec ?? {}) as { readonly volumeName?: string }
        return `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${volumeName}"`
      }
      if (phase !== 'Bound') return 'pod has unbound immediate PersistentVolumeClaims'
    }
    return undefined
  }

  #bind(key: string, stored: StoredObject, node: Node): void {
    this.#waiting.delete(key)
    const time = this.#context.timestamp()
    this.#context.store.update('pods', parseKey(key), (current) => {
      const { spec, status, metadata } = viewAs<Pod>(current)
      const labels = node.metadata.labels ?? {}
      const topology = TOPOLOGY_LABELS.filter((label) => labels[label] !== undefined)
      const added = Object.fromEntries(topology.map((label) => [label, labels[label] ?? '']))
      return {
        ...current,
        metadata: topology.length === 0 ? metadata : { ...metadata, labels: { ...metadata.labels, ...added } },
        spec: { ...spec, nodeName: node.metadata.name },
        status: {
          ...status,
          conditions: withCondition(status?.conditions, {
            type: 'PodScheduled',
            status: 'True',
            lastProbeTime: null,
            lastTransitionTime: time,
            observedGeneration: metadata.generation ?? 1,
          }),
        },
      }
    })
    const message = `Successfully assigned ${key} to ${node.metadata.name}`
    this.#context.events.record(stored, { type: 'Normal', reason: 'Scheduled', message, source: SOURCE })
  }

  #refuse(key: string, stored: StoredObject, message: string): void {
    this.#waiting.set(key, (this.#waiting.get(key) ?? 0) + 1)
    const known = conditionOf(viewAs<Pod>(stored).status?.conditions, 'PodScheduled')
    if (known?.reason === 'Unschedulable' && known.message === message) return
    this.#context.events.record(stored, { type: 'Warning', reason: 'FailedScheduling', message, source: SOURCE })
    const time = this.#context.timestamp()
    this.#context.store.update('pods', parseKey(key), (current) => {
      const { status, metadata } = viewAs<Pod>(current)
      return {
        ...current,
        status: {
          ...status,
          conditions: withCondition(status?.conditions, {
            type: 'PodScheduled',
            status: 'False',
            lastProbeTime: null,
            lastTransitionTime: time,
            reason: 'Unschedulable',
            message,
            observedGeneration: metadata.generation ?? 1,
          }),
        },
      }
    })
  }
}

function isToSchedule({ spec, metadata, status }: Pod): boolean {
  return (
    (spec.nodeName ?? '') === '' &&
    metadata.deletionTimestamp === undefined &&
    spec.schedulerName === 'default-scheduler' &&
    (spec.schedulingGates ?? []).length === 0 &&
    status?.phase === 'Pending'
  )
}
