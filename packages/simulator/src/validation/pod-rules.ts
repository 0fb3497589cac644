import { validateContainers, validateInitContainers, validateUserId } from './containers.ts'
import { type Causes, duplicate, forbidden, invalid, notSupported, required } from './field.ts'
import type { Pod, PodSpec, PodTemplate } from './kube-types.ts'
import { validateAnnotations, validateLabels } from './metadata.ts'
import { dnsLabelProblems, dnsSubdomainProblems, qualifiedNameProblems } from './names.ts'
import { validateResources } from './resources.ts'
import { validateAffinity, validateSpread, validateTolerations } from './scheduling-rules.ts'
import { validateVolumes } from './volumes.ts'

/** Rules of pods and pod templates. After the API server's ValidatePodCreate, ValidatePodUpdate and ValidatePodSpec. */

const RESTARTS = ['Always', 'OnFailure', 'Never']
const DNS_POLICIES = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']
const PREEMPTIONS = ['PreemptLowerPriority', 'Never']
const MAX_INT32 = 2147483647

export function validatePodSpec(spec: PodSpec, isPod: boolean, path: string, causes: Causes): void {
  if (spec.terminationGracePeriodSeconds === undefined) {
    causes.push(required(`${path}.terminationGracePeriodSeconds`))
  }
  const claims = (spec.resourceClaims ?? []) as readonly { readonly name: string }[]
  const context = {
    volumes: validateVolumes(spec.volumes ?? [], `${path}.volumes`, causes),
    claimNames: new Set(claims.map((claim) => claim.name)),
    graceSeconds: spec.terminationGracePeriodSeconds,
  }
  validateContainers(spec, context, `${path}.containers`, causes)
  validateInitContainers(spec, context, `${path}.initContainers`, causes)
  if (spec.resources !== undefined) validateResources(spec.resources, `${path}.resources`, context.claimNames, causes)
  if (spec.hostNetwork === true) validateHostNetwork(spec, isPod, path, causes)
  oneOf(spec.restartPolicy, RESTARTS, `${path}.restartPolicy`, causes)
  oneOf(spec.dnsPolicy, DNS_POLICIES, `${path}.dnsPolicy`, causes)
  validateLabels(spec.nodeSelector, `${path}.nodeSelector`, causes)
  validateSecurity(spec, `${path}.securityContext`, causes)
  validateAffinity(spec.affinity, `${path}.affinity`, causes)
  validateDns(spec, `${path}.dnsConfig`, causes)
  validateGates(spec, `${path}.schedulingGates`, causes)
  validateSpread(spec.topologySpreadConstraints ?? [], `${path}.topologySpreadConstraints`, causes)
  validateNames(spec, path, causes)
}

function oneOf(value: string | undefined, supported: readonly string[], path: string, causes: Causes): void {
  if (value === undefined || value === '') causes.push(required(path))
  else if (!supported.includes(value)) causes.push(notSupported(path, value, supported))
}

function validateHostNetwork(spec: PodSpec, isPod: boolean, path: string, causes: Causes): void {
  for (const [index, container] of (spec.containers ?? []).entries()) {
    for (const [position, port] of (container.ports ?? []).entries()) {
      const host = port.hostPort ?? 0
      if ((!isPod && host === 0) || host === port.containerPort) continue
      const at = `${path}.containers[${index}].ports[${position}].hostPort`
      causes.push(invalid(at, host, 'must match `containerPort` when `hostNetwork` is true'))
    }
  }
}

function validateSecurity(spec: PodSpec, path: string, causes: Causes): void {
  const security = spec.securityContext
  if (security === undefined) return
  validateUserId(security.fsGroup, `${path}.fsGroup`, causes)
  validateUserId(security.runAsUser, `${path}.runAsUser`, causes)
  validateUserId(security.runAsGroup, `${path}.runAsGroup`, causes)
  for (const [index, group] of (security.supplementalGroups ?? []).entries()) {
    validateUserId(group, `${path}.supplementalGroups[${index}]`, causes)
  }
  if (spec.shareProcessNamespace === true && spec.hostPID === true) {
    const text = 'ShareProcessNamespace and HostPID cannot both be enabled'
    causes.push(invalid(`${path}.shareProcessNamespace`, true, text))
  }
}

function validateDns(spec: PodSpec, path: string, causes: Causes): void {
  const servers = spec.dnsConfig?.nameservers ?? []
  if (spec.dnsPolicy === 'None') {
    if (spec.dnsConfig === undefined) {
      causes.push(required(path, 'must provide `dnsConfig` when `dnsPolicy` is None'))
      return
    }
    if (servers.length === 0) {
      const text = 'must provide at least one DNS nameserver when `dnsPolicy` is None'
      causes.push(required(`${path}.nameservers`, text))
      return
    }
  }
  if (servers.length > 3) causes.push(invalid(`${path}.nameservers`, servers, 'must not have more than 3 nameservers'))
}

function validateGates(spec: PodSpec, path: string, causes: Causes): void {
  const seen = new Set<string>()
  for (const [index, gate] of (spec.schedulingGates ?? []).entries()) {
    for (const problem of qualifiedNameProblems(gate.name))
      causes.push(invalid(`${path}[${index}]`, gate.name, problem))
    if (seen.has(gate.name)) causes.push(duplicate(`${path}[${index}]`, gate.name))
    seen.add(gate.name)
  }
}

function validateNames(spec: PodSpec, path: string, causes: Causes): void {
  const check = (member: string, value: string | undefined, problems: (text: string) => readonly string[]) => {
    if (value === undefined || value === '') return
    for (const problem of problems(value)) causes.push(invalid(`${path}.${member}`, value, problem))
  }
  check('serviceAccountName', spec.serviceAccountName, dnsSubdomainProblems)
  check('nodeName', spec.nodeName, dnsSubdomainProblems)
  const deadline = spec.activeDeadlineSeconds
  if (deadline !== undefined && (deadline < 1 || deadline > MAX_INT32)) {
    causes.push(invalid(`${path}.activeDeadlineSeconds`, deadline, `must be between 1 and ${MAX_INT32}, inclusive`))
  }
  check('hostname', spec.hostname, dnsLabelProblems)
  check('subdomain', spec.subdomain, dnsLabelProblems)
  validateTolerations(spec.tolerations ?? [], `${path}.tolerations`, causes)
  check('priorityClassName', spec.priorityClassName, dnsSubdomainProblems)
  const runtime = spec.runtimeClassName
  if (runtime !== undefined) {
    for (const problem of dnsSubdomainProblems(runtime)) {
      causes.push(invalid(`${path}.runtimeClassName`, runtime, problem))
    }
  }
  if (spec.preemptionPolicy !== undefined) {
    oneOf(spec.preemptionPolicy, PREEMPTIONS, `${path}.preemptionPolicy`, causes)
  }
}

const COST = 'controller.kubernetes.io/pod-deletion-cost'

/** A deletion cost as the controllers read it: a 32 bit integer without plus sign or leading zeros; undefined if bad. */
export function parseDeletionCost(text: string | undefined): number | undefined {
  if (text === undefined) return 0
  if (!/^(?:0|-?[1-9]\d*)$/.test(text)) return undefined
  const cost = Number(text)
  return cost >= -2147483648 && cost <= MAX_INT32 ? cost : undefined
}

function validatePodAnnotations(annotations: Readonly<Record<string, string>>, path: string, causes: Causes): void {
  if (!Object.hasOwn(annotations, COST) || parseDeletionCost(annotations[COST]) !== undefined) return
  causes.push(invalid(`${path}[${COST}]`, annotations[COST], 'must be a 32bit integer'))
}

function validateImageSpaces(spec: PodSpec, path: string, causes: Causes): void {
  for (const list of ['containers', 'initContainers'] as const) {
    for (const [index, container] of (spec[list] ?? []).entries()) {
      const image = container.image ?? ''
      if (image === image.trim()) continue
      const text = 'must not have leading or trailing whitespace'
      causes.push(invalid(`${path}.${list}[${index}].image`, image, text))
    }
  }
}

/** What a pod must satisfy at any time, without its metadata's general rules. */
export function validatePod(pod: Pod, causes: Causes): void {
  validatePodAnnotations(pod.metadata.annotations ?? {}, 'metadata.annotations', causes)
  validatePodSpec(pod.spec, true, 'spec', causes)
  validateImageSpaces(pod.spec, 'spec', causes)
}

export function validateNewPod(pod: Pod, causes: Causes): void {
  validatePod(pod, causes)
  if ((pod.spec.ephemeralContainers ?? []).length > 0) {
    causes.push(forbidden('spec.ephemeralContainers', 'cannot be set on create'))
  }
  if ((pod.spec.nodeName ?? '') !== '' && (pod.spec.schedulingGates ?? []).length > 0) {
    causes.push(forbidden('spec.nodeName', 'cannot be set until all schedulingGates have been cleared'))
  }
}

/** The server names a template's labels and annotations without `metadata`. */
export function validateTemplate(template: PodTemplate, path: string, causes: Causes): void {
  validateLabels(template.metadata?.labels, `${path}.labels`, causes)
  validateAnnotations(template.metadata?.annotations, `${path}.annotations`, causes)
  validatePodAnnotations(template.metadata?.annotations ?? {}, `${path}.annotations`, causes)
  validatePodSpec(template.spec, false, `${path}.spec`, causes)
  if ((template.spec.ephemeralContainers ?? []).length > 0) {
    causes.push(forbidden(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template'))
  }
}
