import { validateFieldRef, validateResourceFieldRef } from './downward-refs.ts'
import { type Causes, duplicate, forbidden, invalid, notSupported, required } from './field.ts'
import type { Container, ContainerPort, EnvFrom, EnvVar, PodSpec, SecurityContext, Volume } from './kube-types.ts'
import { validateDevices, validateMounts } from './mounts.ts'
import {
  configMapKeyProblems,
  dnsLabelProblems,
  dnsSubdomainProblems,
  environmentNameProblems,
  portNameProblems,
  portNumberProblems,
} from './names.ts'
import { validateProbes } from './probes.ts'
import { validateResources } from './resources.ts'

/** Containers and init containers of a pod or template. After the API server's validateContainers. */

export type ContainerContext = {
  readonly volumes: ReadonlyMap<string, Volume>
  readonly claimNames: ReadonlySet<string>
  readonly graceSeconds: number | undefined
}

const PROTOCOLS = ['SCTP', 'TCP', 'UDP']
const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never']
const RESTART_POLICIES = ['Always', 'Never', 'OnFailure']
const MESSAGE_POLICIES = ['File', 'FallbackToLogsOnError']

function validatePorts(ports: readonly ContainerPort[], path: string, causes: Causes): void {
  const names = new Set<string>()
  for (const [index, port] of ports.entries()) {
    const at = `${path}[${index}]`
    const name = port.name ?? ''
    if (name !== '') {
      const problems = portNameProblems(name)
      for (const problem of problems) causes.push(invalid(`${at}.name`, name, problem))
      if (problems.length === 0) {
        if (names.has(name)) causes.push(duplicate(`${at}.name`, name))
        names.add(name)
      }
    }
    if (port.containerPort === 0) causes.push(required(`${at}.containerPort`))
    else {
      for (const problem of portNumberProblems(port.containerPort)) {
        causes.push(invalid(`${at}.containerPort`, port.containerPort, problem))
      }
    }
    if (port.hostPort !== undefined && port.hostPort !== 0) {
      for (const problem of portNumberProblems(port.hostPort)) {
        causes.push(invalid(`${at}.hostPort`, port.hostPort, problem))
      }
    }
    if ((port.protocol ?? '') === '') causes.push(required(`${at}.protocol`))
    else if (!PROTOCOLS.includes(port.protocol ?? '')) {
      causes.push(notSupported(`${at}.protocol`, port.protocol, PROTOCOLS))
    }
  }
}

function validateEnv(variables: readonly EnvVar[], path: string, causes: Causes): void {
  for (const [index, variable] of variables.entries()) {
    const at = `${path}[${index}]`
    if (variable.name === '') causes.push(required(`${at}.name`))
    else {
      for (const problem of environmentNameProblems(variable.name)) {
        causes.push(invalid(`${at}.name`, variable.name, problem))
      }
    }
    if (variable.valueFrom !== undefined) validateValueFrom(variable, `${at}.valueFrom`, causes)
  }
}

function validateValueFrom(variable: EnvVar, path: string, causes: Causes): void {
  const from = variable.valueFrom ?? {}
  if (from.fieldRef !== undefined) validateFieldRef(from.fieldRef, 'env', `${path}.fieldRef`, causes)
  if (from.resourceFieldRef !== undefined) {
    validateResourceFieldRef(from.resourceFieldRef, 'env', `${path}.resourceFieldRef`, causes)
  }
  for (const word of ['configMapKeyRef', 'secretKeyRef'] as const) {
    const ref = from[word]
    if (ref === undefined) continue
    const name = ref.name ?? ''
    for (const problem of dnsSubdomainProblems(name)) causes.push(invalid(`${path}.${word}.name`, name, problem))
    if (ref.key === '') causes.push(required(`${path}.${word}.key`))
    else
      for (const problem of configMapKeyProblems(ref.key)) causes.push(invalid(`${path}.${word}.key`, ref.key, problem))
  }
  const sources = Object.values(from).filter((source) => source !== undefined).length
  if (sources === 0) {
    causes.push(
      invalid(
        path,
        '',
        'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
      ),
    )
  } else if ((variable.value ?? '') !== '') {
    causes.push(invalid(path, '', 'may not be specified when `value` is not empty'))
  } else if (sources > 1) {
    causes.push(invalid(path, '', 'may not have more than one field specified at a time'))
  }
}

function validateEnvFrom(sources: readonly EnvFrom[], path: string, causes: Causes): void {
  for (const [index, source] of sources.entries()) {
    const at = `${path}[${index}]`
    if ((source.prefix ?? '') !== '') {
      for (const problem of environmentNameProblems(source.prefix ?? '')) {
        causes.push(invalid(`${at}.prefix`, source.prefix, problem))
      }
    }
    let count = 0
    for (const word of ['configMapRef', 'secretRef'] as const) {
      const ref = source[word]
      if (ref === undefined) continue
      count++
      const name = ref.name ?? ''
      if (name === '') causes.push(required(`${at}.${word}.name`))
      else for (const problem of dnsSubdomainProblems(name)) causes.push(invalid(`${at}.${word}.name`, name, problem))
    }
    // The server names the list here, not the element.
    if (count === 0) causes.push(invalid(path, '', 'must specify one of: `configMapRef` or `secretRef`'))
    if (count > 1) causes.push(invalid(path, '', 'may not have more than one field specified at a time'))
  }
}

export function validateUserId(id: number | undefined, path: string, causes: Causes): void {
  if (id === undefined || (id >= 0 && id <= 2147483647)) return
  causes.push(invalid(path, id, 'must be between 0 and 2147483647, inclusive'))
}

/** As the server shows it: its internal struct with Go's member names. */
function internalForm(security: SecurityContext): Readonly<Record<string, unknown>> {
  const { capabilities } = security
  return {
    Capabilities:
      capabilities === undefined ? null : { Add: capabilities.add ?? null, Drop: capabilities.drop ?? null },
    Privileged: security.privileged ?? null,
    SELinuxOptions: null,
    WindowsOptions: null,
    RunAsUser: security.runAsUser ?? null,
    RunAsGroup: security.runAsGroup ?? null,
    RunAsNonRoot: security.runAsNonRoot ?? null,
    ReadOnlyRootFilesystem: security.readOnlyRootFilesystem ?? null,
    AllowPrivilegeEscalation: security.allowPrivilegeEscalation ?? null,
    ProcMount: security.procMount ?? null,
    SeccompProfile: null,
    AppArmorProfile: null,
  }
}

function validateSecurity(security: SecurityContext | undefined, path: string, causes: Causes): void {
  if (security === undefined) return
  validateUserId(security.runAsUser, `${path}.runAsUser`, causes)
  validateUserId(security.runAsGroup, `${path}.runAsGroup`, causes)
  if (security.allowPrivilegeEscalation !== false) return
  const shown = internalForm(security)
  if (security.privileged === true) {
    const text = 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true'
    causes.push(invalid(path, shown, text))
  }
  if ((security.capabilities?.add ?? []).includes('CAP_SYS_ADMIN')) {
    const text = 'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN'
    causes.push(invalid(path, shown, text))
  }
}

function validateCommon(container: Container, context: ContainerContext, path: string, causes: Causes): void {
  if (container.name === '') causes.push(required(`${path}.name`))
  else {
    for (const problem of dnsLabelProblems(container.name)) {
      causes.push(invalid(`${path}.name`, container.name, problem))
    }
  }
  if ((container.image ?? '') === '') causes.push(required(`${path}.image`))
  const messages = container.terminationMessagePolicy ?? ''
  if (!MESSAGE_POLICIES.includes(messages)) {
    causes.push(notSupported(`${path}.terminationMessagePolicy`, messages, MESSAGE_POLICIES))
  }
  validatePorts(container.ports ?? [], `${path}.ports`, causes)
  validateEnv(container.env ?? [], `${path}.env`, causes)
  validateEnvFrom(container.envFrom ?? [], `${path}.envFrom`, causes)
  validateMounts(container, context.volumes, `${path}.volumeMounts`, causes)
  validateDevices(container, context.volumes, `${path}.volumeDevices`, causes)
  const pull = container.imagePullPolicy ?? ''
  if (!PULL_POLICIES.includes(pull)) causes.push(notSupported(`${path}.imagePullPolicy`, pull, PULL_POLICIES))
  validateResources(container.resources ?? {}, `${path}.resources`, context.claimNames, causes)
  validateSecurity(container.securityContext, `${path}.securityContext`, causes)
}

function validateHostPorts(containers: readonly Container[], path: string, causes: Causes): void {
  const taken = new Set<string>()
  for (const [index, container] of containers.entries()) {
    for (const [position, port] of (container.ports ?? []).entries()) {
      if (port.hostPort === undefined || port.hostPort === 0) continue
      const key = `${port.protocol ?? ''}/${port.hostIP ?? ''}/${port.hostPort}`
      if (taken.has(key)) causes.push(duplicate(`${path}[${index}].ports[${position}].hostPort`, key))
      taken.add(key)
    }
  }
}

function validateRestart(container: Container, path: string, causes: Causes): void {
  const policy = container.restartPolicy
  if (policy === undefined || RESTART_POLICIES.includes(policy)) return
  causes.push(notSupported(`${path}.restartPolicy`, policy, RESTART_POLICIES))
}

export function validateContainers(spec: PodSpec, context: ContainerContext, path: string, causes: Causes): void {
  const containers = spec.containers ?? []
  if (containers.length === 0) {
    causes.push(required(path))
    return
  }
  const names = new Set<string>()
  for (const [index, container] of containers.entries()) {
    const at = `${path}[${index}]`
    validateCommon(container, context, at, causes)
    if (names.has(container.name)) causes.push(duplicate(`${at}.name`, container.name))
    names.add(container.name)
    validateProbes(container, context.graceSeconds, at, causes)
    validateRestart(container, at, causes)
  }
  validateHostPorts(containers, path, causes)
}

const INIT_ONLY = 'may not be set for init containers without restartPolicy=Always'

export function validateInitContainers(spec: PodSpec, context: ContainerContext, path: string, causes: Causes): void {
  const names = new Set((spec.containers ?? []).map((container) => container.name))
  for (const [index, container] of (spec.initContainers ?? []).entries()) {
    const at = `${path}[${index}]`
    validateCommon(container, context, at, causes)
    validateRestart(container, at, causes)
    if (names.has(container.name)) causes.push(duplicate(`${at}.name`, container.name))
    else if (container.name !== '') names.add(container.name)
    validateHostPorts([container], path, causes)
    if (container.restartPolicy === 'Always') {
      validateProbes(container, context.graceSeconds, at, causes)
      continue
    }
    for (const member of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
      if (container[member] !== undefined) causes.push(forbidden(`${at}.${member}`, INIT_ONLY))
    }
  }
}
