import {
  type CreatePodsBody,
  type NewContainer,
  type NewPod,
  type WorkloadKind,
  workloadKinds,
} from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import { invalid, type Problem, problemsError, unset } from './item-problems.ts'

/** Pods of one call at most, over all its data elements (container API reference 2.2). */
export const maxPods = 200

/** One pod of a request that passed `readPods`: what is required is there. */
export type PodItem = {
  /** The business that the request states; the stored one is the workload's. */
  readonly bizId: number
  readonly clusterId: number
  readonly namespaceId: number
  readonly nodeId: number
  readonly kind: WorkloadKind
  readonly workloadId: number
  readonly hostId: number
  readonly pod: NewPod & { readonly name: string }
  readonly containers: readonly (NewContainer & { readonly name: string; readonly container_uid: string })[]
  /** Where in the request it stands, as indexes of data and pods. */
  readonly at: readonly [number, number]
}

const kinds: ReadonlySet<string> = new Set(workloadKinds)

/**
 * The pods of a request in its order, once everything that can be seen without the database holds (container API
 * reference 4.7, steps 1 and 2). The first failure decides the code; `details` name every pod that has one. No pod at all
 * is not looked at here: that comes after the authorisation.
 */
export function readPods(body: CreatePodsBody): PodItem[] {
  const data = body?.data ?? []
  if (data.length === 0) throw cmdbErrors.unset('data')
  let count = 0
  for (const element of data) count += element?.pods?.length ?? 0
  if (count > maxPods) throw cmdbErrors.tooMany('pods', maxPods)
  const items: PodItem[] = []
  const problems: Problem[] = []
  for (let i = 0; i < data.length; i += 1) {
    const pods = data[i]?.pods ?? []
    for (let j = 0; j < pods.length; j += 1) {
      const pod = pods[j] ?? {}
      const problem = problemOf(pod)
      if (problem !== undefined) problems.push({ ...problem, path: `${podPath([i, j])}.${problem.path}` })
      else items.push(itemOf(data[i]?.bk_biz_id ?? 0, pod as CheckedPod, [i, j]))
    }
  }
  if (problems.length > 0) throw problemsError(problems)
  return items
}

export const podPath = ([i, j]: readonly [number, number]) => `data[${i}].pods[${j}]`

type CheckedPod = PodItem['pod'] & { readonly containers?: PodItem['containers'] | null }

function itemOf(bizId: number, pod: CheckedPod, at: PodItem['at']): PodItem {
  const spec = pod.spec
  return {
    bizId,
    clusterId: spec?.bk_cluster_id ?? 0,
    namespaceId: spec?.bk_namespace_id ?? 0,
    nodeId: spec?.bk_node_id ?? 0,
    kind: spec?.ref?.kind as WorkloadKind,
    workloadId: spec?.ref?.id ?? 0,
    hostId: pod.bk_host_id ?? 0,
    pod,
    containers: pod.containers ?? [],
    at,
  }
}

/** What is wrong with one pod first, in the original's order. */
function problemOf(pod: NewPod): Problem | undefined {
  const { spec } = pod
  const ref = spec?.ref
  if (!spec?.bk_cluster_id) return invalid('spec.bk_cluster_id', 'cluster id must be set')
  if (!spec.bk_namespace_id) return invalid('spec.bk_namespace_id', 'namespace id must be set')
  if (!spec.bk_node_id) return invalid('spec.bk_node_id', 'node id must be set')
  if (!ref?.kind || !ref.id) return invalid('spec.ref', 'workload must be set')
  if (!kinds.has(ref.kind)) return invalid('spec.ref.kind', 'workload is illegal type')
  if (!pod.bk_host_id) return unset('bk_host_id', 'host id')
  if (!pod.name) return unset('name', 'pod name')
  const containers = pod.containers ?? []
  for (let k = 0; k < containers.length; k += 1) {
    const container = containers[k]
    if (!container?.name) return unset(`containers[${k}].name`, 'container name')
    if (!container.container_uid) return invalid(`containers[${k}].container_uid`, 'container_uid')
  }
  return undefined
}

/** The rows that a batch of pods refers to, as stored. */
export type PodParents = {
  readonly workloads: readonly WorkloadParent[]
  /** Namespaces of shared clusters among those named: whose cluster it is. */
  readonly shared: readonly { readonly bk_namespace_id: number; readonly bk_asst_biz_id: number }[]
  readonly nodes: readonly NodeParent[]
}
export type WorkloadParent = {
  readonly kind: string
  readonly id: number
  readonly name: string
  readonly bk_biz_id: number
  readonly bk_cluster_id: number
  readonly cluster_uid: string
  readonly bk_namespace_id: number
  readonly namespace: string
}
export type NodeParent = {
  readonly id: number
  readonly name: string
  readonly bk_biz_id: number
  readonly bk_cluster_id: number
  readonly has_pod: boolean
}
export type PlacedPod = { readonly item: PodItem; readonly workload: WorkloadParent; readonly node: NodeParent }

/** Each pod with its workload and node, once every relation of container API reference 4.7, steps 5 and 6, holds. */
export function placePods(items: readonly PodItem[], parents: PodParents): PlacedPod[] {
  const workloads = new Map(parents.workloads.map((w) => [`${w.kind} ${w.id}`, w]))
  const platforms = new Map(parents.shared.map((s) => [s.bk_namespace_id, s.bk_asst_biz_id]))
  const nodes = new Map(parents.nodes.map((n) => [n.id, n]))
  const workloadProblems: RelationProblem[] = []
  const nodeProblems: RelationProblem[] = []
  const placed: PlacedPod[] = []
  for (const item of items) {
    const workload = workloads.get(`${item.kind} ${item.workloadId}`)
    const platform = platforms.get(item.namespaceId)
    const problem = workloadProblem(item, workload, platform)
    if (problem !== undefined || workload === undefined) {
      if (problem !== undefined) workloadProblems.push(problem)
      continue
    }
    const node = nodes.get(item.nodeId)
    const misplaced = nodeProblem(item, node, platform ?? item.bizId)
    if (misplaced !== undefined) nodeProblems.push(misplaced)
    else if (node !== undefined) placed.push({ item, workload, node })
  }
  // All workloads are looked at before any node.
  const problems = workloadProblems.length > 0 ? workloadProblems : nodeProblems
  if (problems[0] !== undefined)
    throw cmdbErrors.mismatch(
      problems[0].what,
      problems.map(({ item, path, message }) => ({ path: `${podPath(item.at)}.${path}`, message })),
    )
  return placed
}

type RelationProblem = {
  readonly item: PodItem
  readonly what: 'workload' | 'namespace' | 'node'
  readonly path: string
  readonly message: string
}

function workloadProblem(
  item: PodItem,
  workload: WorkloadParent | undefined,
  platform: number | undefined,
): RelationProblem | undefined {
  const problem = (what: 'workload' | 'namespace', path: string, message: string) => ({ item, what, path, message })
  if (workload === undefined) return problem('workload', 'spec.ref', `no ${item.kind} ${item.workloadId}`)
  if (workload.bk_namespace_id !== item.namespaceId)
    return problem('workload', 'spec.bk_namespace_id', `the workload is in namespace ${workload.bk_namespace_id}`)
  if (workload.bk_cluster_id !== item.clusterId)
    return problem('workload', 'spec.bk_cluster_id', `the workload is in cluster ${workload.bk_cluster_id}`)
  if (workload.bk_biz_id !== item.bizId && platform !== item.bizId)
    return problem('namespace', 'spec.bk_namespace_id', `the namespace is not shared with business ${item.bizId}`)
  return undefined
}

function nodeProblem(item: PodItem, node: NodeParent | undefined, owner: number): RelationProblem | undefined {
  const problem = (message: string) => ({ item, what: 'node' as const, path: 'spec.bk_node_id', message })
  if (node === undefined) return problem(`no node ${item.nodeId}`)
  if (node.bk_cluster_id !== item.clusterId) return problem(`the node is in cluster ${node.bk_cluster_id}`)
  if (node.bk_biz_id !== owner) return problem(`the node does not belong to business ${owner}`)
  return undefined
}
