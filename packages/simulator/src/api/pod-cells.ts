import type { StoredObject } from '../store/types.ts'
import { ageOf } from './age.ts'

type State = {
  readonly waiting?: { readonly reason?: string }
  readonly running?: object
  readonly terminated?: {
    readonly reason?: string
    readonly exitCode?: number
    readonly signal?: number
    readonly finishedAt?: string
  }
}

type ContainerStatus = {
  readonly ready?: boolean
  readonly restartCount?: number
  readonly state?: State
  readonly lastState?: State
}

export type PodStatus = {
  readonly phase?: string
  readonly reason?: string
  readonly podIP?: string
  readonly nominatedNodeName?: string
  readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason?: string }[]
  readonly initContainerStatuses?: readonly ContainerStatus[]
  readonly containerStatuses?: readonly ContainerStatus[]
}

type PodSpec = {
  readonly nodeName?: string
  readonly containers?: readonly unknown[]
  readonly initContainers?: readonly unknown[]
  readonly readinessGates?: readonly { readonly conditionType: string }[]
}

/** A pod's cells, as the API server's printer computes them. */
export function podCells(pod: StoredObject, now: Date): readonly unknown[] {
  const spec = (pod.spec ?? {}) as PodSpec
  const status = (pod.status ?? {}) as PodStatus
  const { word, ready } = summarize(spec, status)
  return [
    pod.metadata.name ?? '',
    `${ready}/${spec.containers?.length ?? 0}`,
    pod.metadata.deletionTimestamp === undefined ? word : terminating(status, word),
    restarts(status, now),
    ageOf(pod.metadata.creationTimestamp, now),
    status.podIP || '<none>',
    spec.nodeName || '<none>',
    status.nominatedNodeName || '<none>',
    gates(spec, status),
  ]
}

function summarize(spec: PodSpec, status: PodStatus): { readonly word: string; readonly ready: number } {
  const first = status.reason || (isGated(status) ? 'SchedulingGated' : (status.phase ?? ''))
  const initial = initWord(spec, status)
  if (initial !== undefined && !isTrue(status, 'Initialized')) return { word: initial, ready: 0 }
  let word = initial ?? first
  let ready = 0
  let running = false
  for (const { state, ready: isReady } of [...(status.containerStatuses ?? [])].reverse()) {
    if (state?.waiting?.reason) word = state.waiting.reason
    else if (state?.terminated !== undefined) word = terminatedWord(state.terminated)
    else if (isReady === true && state?.running !== undefined) {
      running = true
      ready += 1
    }
  }
  if (word === 'Completed' && running) word = isTrue(status, 'Ready') ? 'Running' : 'NotReady'
  return { word, ready }
}

function initWord(spec: PodSpec, status: PodStatus): string | undefined {
  for (const [at, { state }] of (status.initContainerStatuses ?? []).entries()) {
    if (state?.terminated?.exitCode === 0) continue
    if (state?.terminated !== undefined) return `Init:${terminatedWord(state.terminated)}`
    const waiting = state?.waiting?.reason ?? ''
    if (waiting !== '' && waiting !== 'PodInitializing') return `Init:${waiting}`
    return `Init:${at}/${spec.initContainers?.length ?? 0}`
  }
  return undefined
}

function terminatedWord({ reason, signal, exitCode }: NonNullable<State['terminated']>): string {
  if (reason) return reason
  return signal ? `Signal:${signal}` : `ExitCode:${exitCode ?? 0}`
}

function terminating(status: PodStatus, word: string): string {
  if (status.reason === 'NodeLost') return 'Unknown'
  return status.phase === 'Succeeded' || status.phase === 'Failed' ? word : 'Terminating'
}

function restarts(status: PodStatus, now: Date): string {
  let count = 0
  let last = ''
  for (const { restartCount, lastState } of status.containerStatuses ?? []) {
    count += restartCount ?? 0
    const finishedAt = lastState?.terminated?.finishedAt ?? ''
    if (finishedAt > last) last = finishedAt
  }
  return count !== 0 && last !== '' ? `${count} (${ageOf(last, now)} ago)` : String(count)
}

function gates(spec: PodSpec, status: PodStatus): string {
  const wanted = spec.readinessGates ?? []
  if (wanted.length === 0) return '<none>'
  return `${wanted.filter(({ conditionType }) => isTrue(status, conditionType)).length}/${wanted.length}`
}

function isTrue(status: PodStatus, type: string): boolean {
  return status.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false
}

function isGated(status: PodStatus): boolean {
  return status.conditions?.some(({ type, reason }) => type === 'PodScheduled' && reason === 'SchedulingGated') ?? false
}
