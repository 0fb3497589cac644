import type {
  LabelSelector,
  Node,
  NodeSelectorTerm,
  Pod,
  PodAffinityTerm,
  Taint,
  Toleration,
} from '../validation/kube-types.ts'
import { quantityNano } from '../validation/quantity.ts'
import { matchesRequirements, matchesSelector } from '../validation/selector.ts'
import { type NodeInfo, podLimit, podRequests } from './node-info.ts'
import type { CountQuestion } from './pod-counts.ts'

/** Which nodes a pod fits on, and why not on the others, in kube-scheduler's words. Pure. */

export type Refusal = {
  readonly reasons: readonly string[]
  /** Whether removing other pods could help; decides the preemption half of the message. */
  readonly resolvable: boolean
}

export type FilterContext = {
  readonly nodes: readonly NodeInfo[]
  readonly count: (question: CountQuestion) => ReadonlyMap<string, number>
  /** Namespaces whose labels match, for namespaceSelector. */
  readonly namespacesMatching: (selector: LabelSelector) => readonly string[]
  /** Pods that run and have required anti-affinity terms. */
  readonly antiAffine: Iterable<Pod>
}

const refuse = (reason: string, resolvable = false): Refusal => ({ reasons: [reason], resolvable })

export function tolerates(tolerations: readonly Toleration[], taint: Taint): boolean {
  return tolerations.some((toleration) => {
    if ((toleration.effect ?? '') !== '' && toleration.effect !== taint.effect) return false
    if ((toleration.key ?? '') !== '' && toleration.key !== taint.key) return false
    if ((toleration.key ?? '') === '' && toleration.operator !== 'Exists') return false
    return toleration.operator === 'Exists' || (toleration.value ?? '') === (taint.value ?? '')
  })
}

const UNSCHEDULABLE: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }

function checkTaints(pod: Pod, node: Node): Refusal | undefined {
  const tolerations = pod.spec.tolerations ?? []
  if (node.spec?.unschedulable === true && !tolerates(tolerations, UNSCHEDULABLE)) {
    return refuse('node(s) were unschedulable')
  }
  const untolerated = (node.spec?.taints ?? []).some(
    (taint) => (taint.effect === 'NoSchedule' || taint.effect === 'NoExecute') && !tolerates(tolerations, taint),
  )
  return untolerated ? refuse('node(s) had untolerated taint(s)') : undefined
}

export function matchesNodeTerm(term: NodeSelectorTerm, node: Node): boolean {
  const expressions = term.matchExpressions ?? []
  const fields = term.matchFields ?? []
  // A term without rules matches nothing.
  if (expressions.length === 0 && fields.length === 0) return false
  return (
    matchesRequirements(expressions, node.metadata.labels ?? {}) &&
    matchesRequirements(fields, { 'metadata.name': node.metadata.name })
  )
}

/** Node selector and required node affinity. */
export function matchesNodeRules(pod: Pod, node: Node): boolean {
  const labels = node.metadata.labels ?? {}
  for (const [key, value] of Object.entries(pod.spec.nodeSelector ?? {})) if (labels[key] !== value) return false
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  if (required === undefined) return true
  return (required.nodeSelectorTerms ?? []).some((term) => matchesNodeTerm(term, node))
}

function hostPorts(pod: Pod): readonly string[] {
  return (pod.spec.containers ?? []).flatMap((container) =>
    (container.ports ?? [])
      .filter((port) => (port.hostPort ?? 0) > 0)
      .map((port) => `${port.protocol ?? 'TCP'}/${port.hostPort}`),
  )
}

function checkPorts(wanted: readonly string[], info: NodeInfo): Refusal | undefined {
  if (wanted.length === 0) return undefined
  for (const other of info.pods.values()) {
    if (hostPorts(other).some((port) => wanted.includes(port))) {
      return refuse("node(s) didn't have free ports for the requested pod ports", true)
    }
  }
  return undefined
}

function checkResources(pod: Pod, info: NodeInfo): Refusal | undefined {
  const reasons: string[] = []
  let resolvable = true
  if (info.pods.size + 1 > podLimit(info)) reasons.push('Too many pods')
  for (const [name, amount] of podRequests(pod.spec)) {
    if (amount === 0n || name === 'pods') continue
    const has = info.allocatable.get(name) ?? 0n
    if (amount <= has - (info.requested.get(name) ?? 0n)) continue
    reasons.push(`Insufficient ${name}`)
    if (amount > has) resolvable = false
  }
  return reasons.length === 0 ? undefined : { reasons, resolvable }
}

/** Sums per-node counts over the nodes that share a label's value. */
export function perDomain(
  nodes: readonly NodeInfo[],
  key: string,
  counts: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const domains = new Map<string, number>()
  for (const { node } of nodes) {
    const value = node.metadata.labels?.[key]
    if (value === undefined) continue
    domains.set(value, (domains.get(value) ?? 0) + (counts.get(node.metadata.name) ?? 0))
  }
  return domains
}

const SPREAD = "node(s) didn't match pod topology spread constraints"

/** Makes the check of the DoNotSchedule constraints, which needs all nodes at once. */
function spreadCheck(pod: Pod, context: FilterContext): (info: NodeInfo) => Refusal | undefined {
  const hard = (pod.spec.topologySpreadConstraints ?? []).filter(
    (constraint) => constraint.whenUnsatisfiable === 'DoNotSchedule',
  )
  if (hard.length === 0) return () => undefined
  const tolerations = pod.spec.tolerations ?? []
  const keyed = context.nodes.filter(({ node }) =>
    hard.every((rule) => node.metadata.labels?.[rule.topologyKey] !== undefined),
  )
  const rules = hard.map((constraint) => {
    const eligible = keyed.filter(
      ({ node }) =>
        (constraint.nodeAffinityPolicy === 'Ignore' || matchesNodeRules(pod, node)) &&
        (constraint.nodeTaintsPolicy !== 'Honor' ||
          (node.spec?.taints ?? []).every(
            (taint) => taint.effect === 'PreferNoSchedule' || tolerates(tolerations, taint),
          )),
    )
    const counts = context.count({
      selector: constraint.labelSelector,
      namespaces: [pod.metadata.namespace ?? ''],
      terminating: false,
    })
    const domains = perDomain(eligible, constraint.topologyKey, counts)
    const least = domains.size < (constraint.minDomains ?? 1) ? 0 : Math.min(...domains.values())
    const self = matchesSelector(constraint.labelSelector, pod.metadata.labels) ? 1 : 0
    return { constraint, domains, least: Number.isFinite(least) ? least : 0, self }
  })
  return ({ node }) => {
    for (const { constraint, domains, least, self } of rules) {
      const value = node.metadata.labels?.[constraint.topologyKey]
      if (value === undefined) return refuse(`${SPREAD} (missing required label)`)
      const skew = (domains.get(value) ?? 0) + self - least
      if (skew > constraint.maxSkew) return refuse(SPREAD, true)
    }
    return undefined
  }
}

/** The namespaces that an affinity term speaks of; undefined for all. */
export function termNamespaces(
  term: PodAffinityTerm,
  pod: Pod,
  namespacesMatching: FilterContext['namespacesMatching'],
): readonly string[] | undefined {
  const named = term.namespaces ?? []
  const selector = term.namespaceSelector
  if (selector === undefined) return named.length === 0 ? [pod.metadata.namespace ?? ''] : named
  if (Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0) {
    return undefined
  }
  return [...named, ...namespacesMatching(selector)]
}

function termMatches(term: PodAffinityTerm, owner: Pod, other: Pod, context: FilterContext): boolean {
  const namespaces = termNamespaces(term, owner, context.namespacesMatching)
  if (namespaces !== undefined && !namespaces.includes(other.metadata.namespace ?? '')) return false
  return matchesSelector(term.labelSelector, other.metadata.labels)
}

function affinityCheck(pod: Pod, context: FilterContext): (info: NodeInfo) => Refusal | undefined {
  const near = pod.spec.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
  const far = pod.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
  const domainsOf = (term: PodAffinityTerm) => {
    const namespaces = termNamespaces(term, pod, context.namespacesMatching)
    const counts = context.count({ selector: term.labelSelector, namespaces, terminating: true })
    return { term, domains: perDomain(context.nodes, term.topologyKey, counts) }
  }
  const nearDomains = near.map(domainsOf)
  const farDomains = far.map(domainsOf)
  const blocked = blockedDomains(pod, context)
  // The first pod of a group that wants to be with itself may go anywhere.
  const alone =
    near.length > 0 &&
    nearDomains.every(({ domains }) => [...domains.values()].every((count) => count === 0)) &&
    near.every((term) => termMatches(term, pod, pod, context))
  return ({ node }) => {
    const labels = node.metadata.labels ?? {}
    for (const { term, domains } of nearDomains) {
      const value = labels[term.topologyKey]
      if (value === undefined || (!alone && (domains.get(value) ?? 0) === 0)) {
        return refuse("node(s) didn't match pod affinity rules")
      }
    }
    for (const { term, domains } of farDomains) {
      const value = labels[term.topologyKey]
      if (value !== undefined && (domains.get(value) ?? 0) > 0) {
        return refuse("node(s) didn't match pod anti-affinity rules", true)
      }
    }
    for (const [key, values] of blocked) {
      const value = labels[key]
      if (value !== undefined && values.has(value)) {
        return refuse("node(s) didn't satisfy existing pods anti-affinity rules", true)
      }
    }
    return undefined
  }
}

/** Domains in which a running pod's own anti-affinity keeps this pod out. */
function blockedDomains(pod: Pod, context: FilterContext): ReadonlyMap<string, ReadonlySet<string>> {
  const blocked = new Map<string, Set<string>>()
  const byName = new Map(context.nodes.map(({ node }) => [node.metadata.name, node]))
  for (const other of context.antiAffine) {
    for (const term of other.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
      if (!termMatches(term, other, pod, context)) continue
      const value = byName.get(other.spec.nodeName ?? '')?.metadata.labels?.[term.topologyKey]
      if (value === undefined) continue
      blocked.set(term.topologyKey, (blocked.get(term.topologyKey) ?? new Set()).add(value))
    }
  }
  return blocked
}

/** Checks the nodes in kube-scheduler's order of rules; a node's first broken rule is its reason. */
export function filterNodes(
  pod: Pod,
  context: FilterContext,
): { readonly fitting: readonly NodeInfo[]; readonly refusals: readonly Refusal[] } {
  const ports = hostPorts(pod)
  const checkSpread = spreadCheck(pod, context)
  const checkAffinity = affinityCheck(pod, context)
  const fitting: NodeInfo[] = []
  const refusals: Refusal[] = []
  for (const info of context.nodes) {
    const refusal =
      checkTaints(pod, info.node) ??
      (matchesNodeRules(pod, info.node) ? undefined : refuse("node(s) didn't match Pod's node affinity/selector")) ??
      checkPorts(ports, info) ??
      checkResources(pod, info) ??
      checkSpread(info) ??
      checkAffinity(info)
    if (refusal === undefined) fitting.push(info)
    else refusals.push(refusal)
  }
  return { fitting, refusals }
}

function histogram(reasons: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  return [...counts]
    .map(([reason, count]) => `${count} ${reason}`)
    .toSorted()
    .join(', ')
}

/** `0/3 nodes are available: ...`: why no node fits. */
export function unschedulableMessage(refusals: readonly Refusal[]): string {
  const total = refusals.length
  if (total === 0) return 'no nodes available to schedule pods'
  const preemption = refusals.map(({ resolvable }) =>
    resolvable ? 'No preemption victims found for incoming pod' : 'Preemption is not helpful for scheduling',
  )
  const why = histogram(refusals.flatMap(({ reasons }) => reasons))
  const head = `0/${total} nodes are available:`
  return `${head} ${why}. no new claims to deallocate, preemption: ${head} ${histogram(preemption)}.`
}

/** The same for a claim that keeps the pod from every node. */
export function claimMessage(problem: string, nodes: number): string {
  return `0/${nodes} nodes are available: ${problem}. not found`
}

/** Whether an amount of storage reaches another. */
export const holds = (capacity: unknown, request: unknown): boolean => quantityNano(capacity) >= quantityNano(request)
