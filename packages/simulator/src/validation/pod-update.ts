import { type Causes, forbidden, invalid, required } from './field.ts'
import type { Container, Pod, PodSpec, Toleration } from './kube-types.ts'
import { validatePod } from './pod-rules.ts'
import { isSame } from './same.ts'

/** What may change in a pod that exists. After the API server's ValidatePodUpdate. */

const UPDATABLE = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
].join(',')

function validateContainerList(
  after: readonly Container[],
  before: readonly Container[],
  path: string,
  causes: Causes,
): boolean {
  if (after.length !== before.length) {
    causes.push(forbidden(path, 'pod updates may not add or remove containers'))
    return false
  }
  for (const [index, container] of after.entries()) {
    const image = container.image ?? ''
    if (image === '') causes.push(required(`${path}[${index}].image`))
    if (image.trim() !== image) {
      causes.push(invalid(`${path}[${index}].image`, image, 'must not have leading or trailing whitespace'))
    }
  }
  return true
}

function validateDeadline(after: PodSpec, before: PodSpec, causes: Causes): boolean {
  const path = 'spec.activeDeadlineSeconds'
  const now = after.activeDeadlineSeconds
  const old = before.activeDeadlineSeconds
  if (now === undefined) {
    if (old !== undefined) causes.push(invalid(path, null, 'must not update from a positive integer to nil value'))
    return true
  }
  if (now < 0 || now > 2147483647) {
    causes.push(invalid(path, now, 'must be between 0 and 2147483647, inclusive'))
    return false
  }
  if (old !== undefined && old < now) {
    causes.push(invalid(path, now, 'must be less than or equal to previous value'))
    return false
  }
  return true
}

function validateTolerationsKept(after: readonly Toleration[], before: readonly Toleration[], causes: Causes): void {
  const without = ({ tolerationSeconds: _seconds, ...rest }: Toleration) => rest
  const kept = before.every((old) => after.some((now) => isSame(without(old), without(now))))
  if (!kept) {
    const text = 'existing toleration can not be modified except its tolerationSeconds'
    causes.push(forbidden('spec.tolerations', text))
  }
}

const withoutImages = (containers: readonly Container[] | null | undefined) =>
  (containers ?? []).map(({ image: _image, ...rest }) => rest)

/** The spec without the members that may change. */
function fixedPart(spec: PodSpec, before: PodSpec): Readonly<Record<string, unknown>> {
  const { containers, initContainers, activeDeadlineSeconds: _d, tolerations: _t, schedulingGates: _g, ...rest } = spec
  const relaxed = (before.terminationGracePeriodSeconds ?? 0) < 0 && spec.terminationGracePeriodSeconds === 1
  return {
    ...rest,
    ...(relaxed ? { terminationGracePeriodSeconds: before.terminationGracePeriodSeconds } : {}),
    containers: withoutImages(containers),
    initContainers: withoutImages(initContainers),
  }
}

/** The changed members, in the manner of the server's diff (its exact text is not stable between two runs). */
function difference(before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>): string {
  const members = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  const lines = members
    .filter((member) => !isSame(before[member], after[member]))
    .flatMap((member) => [
      ...(before[member] === undefined ? [] : [`- \t${member}: ${JSON.stringify(before[member])},`]),
      ...(after[member] === undefined ? [] : [`+ \t${member}: ${JSON.stringify(after[member])},`]),
    ])
  return `  core.PodSpec{\n${lines.join('\n')}\n  }\n`
}

export function validatePodUpdate(after: Pod, before: Pod, causes: Causes): void {
  validatePod(after, causes)
  for (const list of ['containers', 'initContainers'] as const) {
    if (!validateContainerList(after.spec[list] ?? [], before.spec[list] ?? [], `spec.${list}`, causes)) return
  }
  if (!validateDeadline(after.spec, before.spec, causes)) return
  validateTolerationsKept(after.spec.tolerations ?? [], before.spec.tolerations ?? [], causes)
  const old = fixedPart(before.spec, before.spec)
  const now = fixedPart(after.spec, before.spec)
  if (isSame(old, now)) return
  causes.push(forbidden('spec', `pod updates may not change fields other than ${UPDATABLE}\n${difference(old, now)}`))
}
