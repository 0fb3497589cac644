import { createHash, randomBytes } from 'node:crypto'
import type { StoredObject } from '../store/types.ts'
import { parseImage } from '../validation/image-reference.ts'
import { type Container, type Node, type Pod, viewAs } from '../validation/kube-types.ts'
import { type ControllerContext, keyOf, parseKey } from './context.ts'
import type { KubeletDelays } from './delays.ts'
import { PodAddresses } from './pod-addresses.ts'
import { type KubeletFacts, nextStep, type StartProblem, type Step, statusAfter } from './pod-progress.ts'
import { conditionOf } from './pod-state.ts'
import type { WorkQueue } from './queue.ts'

const FIRST_PULL_RETRY_MS = 1000
const LONGEST_PULL_RETRY_MS = 30_000

export type KubeletOptions = {
  readonly delays: KubeletDelays
  /** The registry's words when an image cannot be pulled; undefined when it can. */
  readonly imageFault: (image: string) => string | undefined
}

/** A step that a pod waits for. */
type Due = { readonly uid: string; readonly step: Step; readonly at: number; readonly failures: number }

/** The kubelets of all nodes: take bound pods through their states, and end those that are deleted. */
export class Kubelet {
  readonly #context: ControllerContext
  readonly #options: KubeletOptions
  readonly #queue: WorkQueue
  readonly #due = new Map<string, Due>()
  readonly #addresses = new PodAddresses()
  readonly #imageIds = new Map<string, string>()

  constructor(context: ControllerContext, options: KubeletOptions) {
    this.#context = context
    this.#options = options
    this.#queue = context.queue('kubelet', (key) => this.#sync(key))
    context.follow('pods', ({ type, object }) => this.#note(type === 'DELETED', object))
    context.watch('nodes', ({ object, before }) => {
      // A node that comes back goes on with its pods.
      if (before !== undefined && isNodeReady(viewAs<Node>(before)) === isNodeReady(viewAs<Node>(object))) return
      this.#addPodsOf(object.metadata.name)
    })
    for (const plural of ['configmaps', 'secrets']) {
      context.watch(plural, ({ type }) => {
        if (type === 'ADDED') for (const [key, due] of this.#due) if (due.failures > 0) this.#retryNow(key)
      })
    }
  }

  #note(deleted: boolean, object: StoredObject): void {
    const pod = viewAs<Pod>(object)
    const key = keyOf(object)
    const ip = pod.spec.hostNetwork === true ? undefined : pod.status?.podIP
    if (deleted) {
      this.#due.delete(key)
      if (ip !== undefined) this.#addresses.release(ip)
      return
    }
    if (ip !== undefined) this.#addresses.take(ip)
    if ((pod.spec.nodeName ?? '') !== '' && nextStep(pod) !== undefined) this.#queue.add(key)
  }

  #addPodsOf(node: string): void {
    for (const pod of this.#context.store.list('pods')) {
      if (viewAs<Pod>(pod).spec.nodeName === node) this.#queue.add(keyOf(pod))
    }
  }

  #retryNow(key: string): void {
    const due = this.#due.get(key)
    if (due !== undefined) this.#due.set(key, { ...due, at: 0 })
    this.#queue.add(key)
  }

  #sync(key: string): void {
    const { store } = this.#context
    const stored = store.get('pods', parseKey(key))
    if (stored === undefined) return
    const pod = viewAs<Pod>(stored)
    const nodeName = pod.spec.nodeName ?? ''
    const found = nodeName === '' ? undefined : store.get('nodes', { name: nodeName })
    if (found === undefined || !isNodeReady(viewAs<Node>(found))) return
    const step = nextStep(pod)
    if (step === undefined) {
      this.#due.delete(key)
      return
    }
    const due = this.#dueOf(key, pod, step)
    const wait = due.at - performance.now()
    if (wait > 0.5) {
      this.#queue.addAfter(key, wait)
      return
    }
    if (step === 'terminate') this.#end(key, pod)
    else this.#perform(key, stored, pod, step, viewAs<Node>(found), due)
  }

  /** When the pod's next step is due: decided once per step, so that other events do not put it off. */
  #dueOf(key: string, pod: Pod, step: Step): Due {
    const known = this.#due.get(key)
    if (known !== undefined && known.uid === pod.metadata.uid && known.step === step) return known
    const due = { uid: pod.metadata.uid, step, at: performance.now() + this.#delayOf(pod, step), failures: 0 }
    this.#due.set(key, due)
    return due
  }

  #delayOf(pod: Pod, step: Step): number {
    const { delays } = this.#options
    switch (step) {
      case 'accept':
        return 0
      case 'initialize':
        return delays.pullMs
      case 'start':
        return (pod.status?.initContainerStatuses ?? []).length > 0 ? 0 : delays.pullMs
      case 'restart':
        return delays.pullMs
      case 'ready':
        return delays.readyMs
      case 'terminate':
        return Math.min(delays.terminateMs, (pod.metadata.deletionGracePeriodSeconds ?? 0) * 1000)
    }
  }

  #end(key: string, pod: Pod): void {
    this.#due.delete(key)
    if (pod.metadata.deletionGracePeriodSeconds === 0 && (pod.metadata.finalizers ?? []).length > 0) return
    // With no time left and no finalizer the store lets go of it.
    this.#context.store.update('pods', parseKey(key), (current) => ({
      ...current,
      metadata: { ...current.metadata, deletionGracePeriodSeconds: 0 },
    }))
    const left = this.#context.store.get('pods', parseKey(key))
    if (left !== undefined && (left.metadata.finalizers ?? []).length === 0) {
      this.#context.store.remove('pods', parseKey(key))
    }
  }

  #perform(key: string, stored: StoredObject, pod: Pod, step: Exclude<Step, 'terminate'>, node: Node, due: Due): void {
    const problems: StartProblem[] = []
    const hostIp = hostIpOf(node)
    const held = step === 'accept' ? undefined : this.#volumeProblem(pod)
    if (held !== undefined) {
      const message = `MountVolume.SetUp failed for volume "${held.volume}" : ${held.problem}`
      this.#warn(stored, 'FailedMount', message, node)
      this.#tryLater(key, due)
      return
    }
    const needsAddress = pod.status?.podIP === undefined && (step === 'initialize' || step === 'start')
    const facts: KubeletFacts = {
      time: this.#context.timestamp(),
      hostIp,
      podIp: !needsAddress
        ? (pod.status?.podIP ?? '')
        : pod.spec.hostNetwork === true
          ? hostIp
          : this.#addresses.allocate(node.spec?.podCIDR),
      newContainerId: () => randomBytes(32).toString('hex'),
      imageIdOf: (image) => this.#imageIdOf(image),
      problemOf: (container) => {
        const problem = this.#problemOf(container, pod, due.failures)
        if (problem !== undefined) problems.push(problem)
        return problem
      },
    }
    const status = statusAfter(pod, step, facts)
    for (const problem of problems) {
      this.#warn(stored, problem.event, problem.eventText, node)
      this.#warn(stored, 'Failed', `Error: ${problem.reason}`, node)
    }
    if (problems.length > 0) this.#tryLater(key, due)
    else this.#due.delete(key)
    this.#context.store.update('pods', parseKey(key), (current) => ({ ...current, status }))
  }

  #tryLater(key: string, due: Due): void {
    const wait = Math.min(FIRST_PULL_RETRY_MS * 2 ** due.failures, LONGEST_PULL_RETRY_MS)
    this.#due.set(key, { ...due, at: performance.now() + wait, failures: due.failures + 1 })
    this.#queue.addAfter(key, wait)
  }

  #warn(stored: StoredObject, reason: string, message: string, node: Node): void {
    const host = node.metadata.name
    this.#context.events.record(stored, { type: 'Warning', reason, message, source: 'kubelet', host })
  }

  #problemOf(container: Container, pod: Pod, failures: number): StartProblem | undefined {
    const image = container.image ?? ''
    const parsed = parseImage(image)
    if (typeof parsed === 'string') {
      const message = `Failed to apply default image tag "${image}": ${parsed}`
      return {
        container: container.name,
        reason: 'InvalidImageName',
        message,
        event: 'InspectFailed',
        eventText: message,
      }
    }
    const fault = this.#options.imageFault(image)
    if (fault !== undefined) {
      // Refused first, and then put off and refused in turn.
      const backingOff = failures % 2 === 1
      return {
        container: container.name,
        reason: backingOff ? 'ImagePullBackOff' : 'ErrImagePull',
        message: backingOff ? `Back-off pulling image "${image}": ErrImagePull: ${fault}` : fault,
        event: backingOff ? 'BackOff' : 'Failed',
        eventText: backingOff ? `Back-off pulling image "${image}"` : `Failed to pull image "${image}": ${fault}`,
      }
    }
    const missing = this.#missingReference(container, pod)
    if (missing === undefined) return undefined
    return {
      container: container.name,
      reason: 'CreateContainerConfigError',
      message: missing,
      event: 'Failed',
      eventText: `Error: ${missing}`,
    }
  }

  /** A ConfigMap or Secret that the environment needs and that is not there. */
  #missingReference(container: Container, pod: Pod): string | undefined {
    const namespace = pod.metadata.namespace ?? ''
    const lacks = (plural: string, name: string | undefined, optional: boolean | undefined) =>
      optional !== true && name !== undefined && this.#context.store.get(plural, { namespace, name }) === undefined
    for (const { valueFrom } of container.env ?? []) {
      const map = valueFrom?.configMapKeyRef
      if (map !== undefined && lacks('configmaps', map.name, map.optional)) return `configmap "${map.name}" not found`
      const secret = valueFrom?.secretKeyRef
      if (secret !== undefined && lacks('secrets', secret.name, secret.optional)) {
        return `secret "${secret.name}" not found`
      }
    }
    return undefined
  }

  /** A volume whose ConfigMap or Secret is not there. */
  #volumeProblem(pod: Pod): { readonly volume: string; readonly problem: string } | undefined {
    const namespace = pod.metadata.namespace ?? ''
    for (const { name: volume, configMap, secret } of pod.spec.volumes ?? []) {
      const [plural, word, named] =
        configMap !== undefined
          ? ['configmaps', 'configmap', configMap.name]
          : ['secrets', 'secret', secret?.secretName]
      const optional = (configMap ?? secret) as { readonly optional?: boolean } | undefined
      if (named === undefined || optional?.optional === true) continue
      if (this.#context.store.get(plural, { namespace, name: named }) !== undefined) continue
      return { volume, problem: `${word} "${named}" not found` }
    }
    return undefined
  }

  #imageIdOf(image: string): string {
    const known = this.#imageIds.get(image)
    if (known !== undefined) return known
    const parsed = parseImage(image)
    const repository = typeof parsed === 'string' ? image : parsed.repository
    const digest =
      typeof parsed !== 'string' && parsed.digest !== ''
        ? parsed.digest
        : `sha256:${createHash('sha256').update(image).digest('hex')}`
    const id = `${repository}@${digest}`
    if (this.#imageIds.size > 10_000) this.#imageIds.clear()
    this.#imageIds.set(image, id)
    return id
  }
}

/** A node without a Ready condition counts as ready: nobody said otherwise. */
export function isNodeReady(node: Node): boolean {
  const ready = conditionOf(node.status?.conditions, 'Ready')
  return ready === undefined || ready.status === 'True'
}

function hostIpOf(node: Node): string {
  const addresses = node.status?.addresses ?? []
  return addresses.find(({ type }) => type === 'InternalIP')?.address ?? addresses[0]?.address ?? '127.0.0.1'
}
