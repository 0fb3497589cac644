import { parseImage } from '../validation/image-reference.ts'
import type { Condition, Container, ContainerStatus, Pod, PodSpec, PodStatus } from '../validation/kube-types.ts'
import { conditionOf, withCondition } from './pod-state.ts'

/** The states that a kubelet takes a pod through, and the status that each shows. Pure. */

/** What a pod on a node does next; undefined when it only has to keep running. */
export type Step = 'accept' | 'initialize' | 'start' | 'restart' | 'ready' | 'terminate'

/** Why a container cannot start, as its waiting state and the event tell it. */
export type StartProblem = {
  readonly container: string
  readonly reason: string
  readonly message: string
  readonly event: string
  readonly eventText: string
}

export type KubeletFacts = {
  readonly time: string
  readonly hostIp: string
  readonly podIp: string
  readonly newContainerId: () => string
  readonly imageIdOf: (image: string) => string
  /** What keeps a container from starting now. */
  readonly problemOf: (container: Container) => StartProblem | undefined
}

const isRunning = (status: ContainerStatus) => status.state?.running !== undefined
const isDone = (status: ContainerStatus) => status.state?.terminated !== undefined

/** An image name as the kubelet hands it to the runtime: with its default tag. */
export function withDefaultTag(image: string): string {
  const parsed = parseImage(image)
  if (typeof parsed === 'string' || parsed.digest !== '' || image.endsWith(`:${parsed.tag}`)) return image
  return `${image}:${parsed.tag}`
}

export function nextStep(pod: Pod): Step | undefined {
  const { status, spec, metadata } = pod
  if (metadata.deletionTimestamp !== undefined) return 'terminate'
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return undefined
  if (status?.startTime === undefined) return 'accept'
  const inits = status.initContainerStatuses ?? []
  if (inits.some((init) => !isDone(init) && !isRunning(init))) return 'initialize'
  const containers = status.containerStatuses ?? []
  if (containers.length === 0 || containers.some((container) => !isRunning(container))) return 'start'
  const images = new Map((spec.containers ?? []).map(({ name, image }) => [name, withDefaultTag(image ?? '')]))
  if (containers.some(({ name, image }) => (images.get(name) ?? image) !== image)) return 'restart'
  return conditionOf(status.conditions, 'Ready')?.status === 'True' ? undefined : 'ready'
}

function waiting(container: Container, reason: string, message?: string, known?: ContainerStatus): ContainerStatus {
  return {
    name: container.name,
    state: { waiting: { reason, ...(message === undefined ? {} : { message }) } },
    lastState: known?.lastState ?? {},
    ready: false,
    restartCount: known?.restartCount ?? 0,
    image: container.image ?? '',
    imageID: '',
    started: false,
  }
}

function running(container: Container, facts: KubeletFacts, known?: ContainerStatus): ContainerStatus {
  const image = withDefaultTag(container.image ?? '')
  return {
    name: container.name,
    state: { running: { startedAt: facts.time } },
    lastState: known?.lastState ?? {},
    ready: false,
    restartCount: known?.restartCount ?? 0,
    image,
    imageID: facts.imageIdOf(image),
    containerID: `containerd://${facts.newContainerId()}`,
    started: true,
  }
}

function completed(container: Container, facts: KubeletFacts): ContainerStatus {
  const image = withDefaultTag(container.image ?? '')
  const containerID = `containerd://${facts.newContainerId()}`
  return {
    name: container.name,
    state: {
      terminated: {
        exitCode: 0,
        reason: 'Completed',
        startedAt: facts.time,
        finishedAt: facts.time,
        containerID,
      },
    },
    lastState: {},
    ready: true,
    restartCount: 0,
    image,
    imageID: facts.imageIdOf(image),
    containerID,
    started: false,
  }
}

type Truth = { readonly status: 'True' | 'False'; readonly reason?: string; readonly message?: string }
const TRUE: Truth = { status: 'True' }
const lacking = (reason: string, message: string): Truth => ({ status: 'False', reason, message })

function setAll(
  conditions: readonly Condition[] | undefined,
  generation: number,
  time: string,
  truths: Readonly<Record<string, Truth>>,
): readonly Condition[] {
  let result = conditions ?? []
  for (const [type, truth] of Object.entries(truths)) {
    result = withCondition(result, {
      type,
      lastProbeTime: null,
      lastTransitionTime: time,
      observedGeneration: generation,
      ...truth,
    })
  }
  const order = ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled']
  return result.toSorted((a, b) => rank(order, a.type) - rank(order, b.type))
}

function rank(order: readonly string[], type: string): number {
  const at = order.indexOf(type)
  return at < 0 ? order.length : at
}

function unready(containers: readonly ContainerStatus[]): Truth {
  const names = containers.filter((container) => !container.ready).map(({ name }) => name)
  return names.length === 0
    ? TRUE
    : lacking('ContainersNotReady', `containers with unready status: [${names.join(' ')}]`)
}

const initsOf = (spec: PodSpec) => spec.initContainers ?? []

/** The pod's status after a step. Not for 'terminate', which ends the pod. */
export function statusAfter(pod: Pod, step: Exclude<Step, 'terminate'>, facts: KubeletFacts): PodStatus {
  const status: PodStatus = { ...pod.status, observedGeneration: pod.metadata.generation ?? 1 }
  switch (step) {
    case 'accept':
      return accepted(pod, status, facts)
    case 'initialize':
      return initialized(pod, status, facts)
    case 'start':
      return started(pod, status, facts)
    case 'restart':
      return restarted(pod, status, facts)
    case 'ready': {
      const containers = (status.containerStatuses ?? []).map((container) => ({ ...container, ready: true }))
      return {
        ...status,
        conditions: conditionsOf(pod, status, containers, facts, TRUE),
        containerStatuses: containers,
      }
    }
  }
}

function conditionsOf(
  pod: Pod,
  status: PodStatus,
  containers: readonly ContainerStatus[],
  facts: KubeletFacts,
  initializedNow: Truth,
  sandbox: Truth = TRUE,
): readonly Condition[] {
  const ready = unready(containers)
  return setAll(status.conditions, pod.metadata.generation ?? 1, facts.time, {
    PodReadyToStartContainers: sandbox,
    Initialized: initializedNow,
    Ready: ready,
    ContainersReady: ready,
  })
}

function accepted(pod: Pod, status: PodStatus, facts: KubeletFacts): PodStatus {
  const { spec } = pod
  const inits = initsOf(spec).map((container, index) =>
    waiting(container, index === 0 ? 'ContainerCreating' : 'PodInitializing'),
  )
  const containers = (spec.containers ?? []).map((container) =>
    waiting(container, inits.length > 0 ? 'PodInitializing' : 'ContainerCreating'),
  )
  const names = inits.map(({ name }) => name).join(' ')
  const truth =
    inits.length === 0 ? TRUE : lacking('ContainersNotInitialized', `containers with incomplete status: [${names}]`)
  return {
    ...status,
    phase: 'Pending',
    conditions: conditionsOf(pod, status, containers, facts, truth, { status: 'False' }),
    hostIP: facts.hostIp,
    hostIPs: [{ ip: facts.hostIp }],
    startTime: facts.time,
    ...(inits.length === 0 ? {} : { initContainerStatuses: inits }),
    containerStatuses: containers,
  }
}

function addressed(status: PodStatus, facts: KubeletFacts): PodStatus {
  const ip = status.podIP ?? facts.podIp
  return { ...status, podIP: ip, podIPs: [{ ip }] }
}

function initialized(pod: Pod, status: PodStatus, facts: KubeletFacts): PodStatus {
  const known = new Map((status.initContainerStatuses ?? []).map((container) => [container.name, container]))
  let held = false
  const inits = initsOf(pod.spec).map((container) => {
    const before = known.get(container.name)
    if (before !== undefined && isDone(before)) return before
    if (held) return waiting(container, 'PodInitializing', undefined, before)
    const problem = facts.problemOf(container)
    if (problem !== undefined) {
      held = true
      return waiting(container, problem.reason, problem.message, before)
    }
    // A sidecar keeps running beside the containers.
    if (container.restartPolicy === 'Always') return { ...running(container, facts, before), ready: true }
    return completed(container, facts)
  })
  const names = inits.filter((init) => !init.ready).map(({ name }) => name)
  const truth =
    names.length === 0
      ? TRUE
      : lacking('ContainersNotInitialized', `containers with incomplete status: [${names.join(' ')}]`)
  const containers = status.containerStatuses ?? []
  const next = addressed(status, facts)
  return {
    ...next,
    conditions: conditionsOf(pod, status, containers, facts, truth),
    initContainerStatuses: inits,
  }
}

function started(pod: Pod, status: PodStatus, facts: KubeletFacts): PodStatus {
  const known = new Map((status.containerStatuses ?? []).map((container) => [container.name, container]))
  const containers = (pod.spec.containers ?? []).map((container) => {
    const before = known.get(container.name)
    if (before !== undefined && isRunning(before)) return before
    const problem = facts.problemOf(container)
    if (problem !== undefined) return waiting(container, problem.reason, problem.message, before)
    return running(container, facts, before)
  })
  const all = containers.every(isRunning)
  return {
    ...addressed(status, facts),
    // A container that never started keeps the pod Pending.
    phase: all ? 'Running' : 'Pending',
    conditions: conditionsOf(pod, status, containers, facts, TRUE),
    containerStatuses: containers,
  }
}

/** Containers whose image was changed start anew. */
function restarted(pod: Pod, status: PodStatus, facts: KubeletFacts): PodStatus {
  const wanted = new Map((pod.spec.containers ?? []).map((container) => [container.name, container]))
  const containers = (status.containerStatuses ?? []).map((before) => {
    const container = wanted.get(before.name)
    if (container === undefined || withDefaultTag(container.image ?? '') === before.image) return before
    const startedAt = (before.state?.running as { readonly startedAt?: string } | undefined)?.startedAt ?? facts.time
    const ended = {
      exitCode: 0,
      reason: 'Completed',
      startedAt,
      finishedAt: facts.time,
      containerID: before.containerID,
    }
    const last = { ...before, restartCount: before.restartCount + 1, lastState: { terminated: ended } }
    const problem = facts.problemOf(container)
    if (problem !== undefined) return waiting(container, problem.reason, problem.message, last)
    return running(container, facts, last)
  })
  return {
    ...status,
    conditions: conditionsOf(pod, status, containers, facts, TRUE),
    containerStatuses: containers,
  }
}
