import type { Pod, PodAffinityTerm } from '../validation/kube-types.ts'
import { type FilterContext, matchesNodeTerm, perDomain, termNamespaces, tolerates } from './node-filter.ts'
import { type NodeInfo, podRequests } from './node-info.ts'

/** Which of the fitting nodes is best: kube-scheduler's scores and weights, each from 0 to 100. Pure. */

type Scores = readonly number[]

/** Stretches raw values to 0-100, the highest raw value best or, reversed, worst. */
function normalize(raw: Scores, reverse: boolean): Scores {
  const top = Math.max(...raw, 0)
  if (top === 0) return raw.map(() => (reverse ? 100 : 0))
  return raw.map((value) => (reverse ? 100 - (value * 100) / top : (value * 100) / top))
}

function share(info: NodeInfo, pod: Pod, name: string): number {
  const has = Number(info.allocatable.get(name) ?? 0n)
  if (has === 0) return 1
  const wanted = Number((info.requested.get(name) ?? 0n) + (podRequests(pod.spec).get(name) ?? 0n))
  return Math.min(wanted / has, 1)
}

function leastAllocated(pod: Pod, info: NodeInfo): number {
  return ((1 - share(info, pod, 'cpu') + (1 - share(info, pod, 'memory'))) / 2) * 100
}

function balanced(pod: Pod, info: NodeInfo): number {
  const difference = Math.abs(share(info, pod, 'cpu') - share(info, pod, 'memory')) / 2
  return (1 - difference) * 100
}

function preferredNodes(pod: Pod, info: NodeInfo): number {
  const terms = pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
  return terms.reduce((sum, { weight, preference }) => {
    const rules = (preference.matchExpressions ?? []).length + (preference.matchFields ?? []).length
    return sum + (rules === 0 || matchesNodeTerm(preference, info.node) ? weight : 0)
  }, 0)
}

function softTaints(pod: Pod, info: NodeInfo): number {
  const tolerations = pod.spec.tolerations ?? []
  return (info.node.spec?.taints ?? []).filter(
    (taint) => taint.effect === 'PreferNoSchedule' && !tolerates(tolerations, taint),
  ).length
}

function podPreferences(pod: Pod, nodes: readonly NodeInfo[], context: FilterContext): Scores {
  const near = pod.spec.affinity?.podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
  const far = pod.spec.affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
  if (near.length + far.length === 0) return nodes.map(() => 0)
  const scores = nodes.map(() => 0)
  const apply = (term: PodAffinityTerm, weight: number) => {
    const namespaces = termNamespaces(term, pod, context.namespacesMatching)
    const counts = context.count({ selector: term.labelSelector, namespaces, terminating: true })
    const domains = perDomain(context.nodes, term.topologyKey, counts)
    for (const [index, { node }] of nodes.entries()) {
      const value = node.metadata.labels?.[term.topologyKey]
      scores[index] = (scores[index] ?? 0) + (value === undefined ? 0 : (domains.get(value) ?? 0) * weight)
    }
  }
  for (const { weight, podAffinityTerm } of near) apply(podAffinityTerm, weight)
  for (const { weight, podAffinityTerm } of far) apply(podAffinityTerm, -weight)
  const low = Math.min(...scores)
  const high = Math.max(...scores)
  return scores.map((score) => (high === low ? 0 : ((score - low) * 100) / (high - low)))
}

/** Soft spreading: the constraints' own, else over nodes by owner, as kube-scheduler does by default. */
function spreading(pod: Pod, nodes: readonly NodeInfo[], context: FilterContext): Scores {
  const soft = (pod.spec.topologySpreadConstraints ?? []).filter((rule) => rule.whenUnsatisfiable === 'ScheduleAnyway')
  const raw = nodes.map(() => 0)
  if (soft.length === 0 && (pod.spec.topologySpreadConstraints ?? []).length === 0) {
    const owner = pod.metadata.ownerReferences?.find((reference) => reference.controller === true)?.uid ?? ''
    return normalize(
      nodes.map((info) => info.byOwner.get(owner) ?? 0),
      true,
    )
  }
  for (const rule of soft) {
    const namespaces = [pod.metadata.namespace ?? '']
    const counts = context.count({ selector: rule.labelSelector, namespaces, terminating: false })
    const domains = perDomain(context.nodes, rule.topologyKey, counts)
    const top = Math.max(0, ...domains.values())
    for (const [index, { node }] of nodes.entries()) {
      const value = node.metadata.labels?.[rule.topologyKey]
      raw[index] = (raw[index] ?? 0) + (value === undefined ? top + 1 : (domains.get(value) ?? 0))
    }
  }
  return normalize(raw, true)
}

/** The best node: the highest sum of scores; of equals the one with the fewest pods, then the first name. */
export function bestNode(pod: Pod, fitting: readonly NodeInfo[], context: FilterContext): NodeInfo | undefined {
  if (fitting.length <= 1) return fitting[0]
  const affinity = normalize(
    fitting.map((info) => preferredNodes(pod, info)),
    false,
  )
  const taints = normalize(
    fitting.map((info) => softTaints(pod, info)),
    true,
  )
  const pods = podPreferences(pod, fitting, context)
  const spread = spreading(pod, fitting, context)
  const ranked = fitting.map((info, index) => ({
    info,
    score:
      Math.round(leastAllocated(pod, info)) +
      Math.round(balanced(pod, info)) +
      2 * Math.round(affinity[index] ?? 0) +
      3 * Math.round(taints[index] ?? 0) +
      2 * Math.round(pods[index] ?? 0) +
      2 * Math.round(spread[index] ?? 0),
  }))
  const byRank = ranked.toSorted(
    (a, b) =>
      b.score - a.score ||
      a.info.pods.size - b.info.pods.size ||
      (a.info.node.metadata.name < b.info.node.metadata.name ? -1 : 1),
  )
  return byRank[0]?.info
}
