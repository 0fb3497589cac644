import { type Causes, forbidden, invalid, notSupported, required } from './field.ts'
import type { Deployment, DeploymentSpec, LabelSelector, PodTemplate, ReplicaSet } from './kube-types.ts'
import { isUsableSelector, validateLabelSelector } from './metadata.ts'
import { percentProblems } from './names.ts'
import { validateTemplate } from './pod-rules.ts'
import { isSame } from './same.ts'
import { isEmptySelector, matchesSelector } from './selector.ts'

/** Rules of Deployments and ReplicaSets. After the API server's pkg/apis/apps/validation. */

export function notNegative(value: number | undefined, path: string, causes: Causes): void {
  if (value === undefined || value >= 0) return
  causes.push(invalid(path, value, 'must be greater than or equal to 0'))
}

function validateSelector(selector: LabelSelector | undefined, causes: Causes): void {
  if (selector === undefined) {
    causes.push(required('spec.selector'))
    return
  }
  validateLabelSelector(selector, 'spec.selector', causes)
  if (isEmptySelector(selector)) {
    causes.push(invalid('spec.selector', selector, 'empty selector is invalid for deployment'))
  }
}

function validateSelectedTemplate(selector: LabelSelector | undefined, template: PodTemplate, causes: Causes): void {
  if (selector !== undefined && !isUsableSelector(selector)) {
    causes.push(invalid('spec.selector', selector, 'invalid label selector'))
    return
  }
  const labels = template.metadata?.labels
  const empty = selector !== undefined && isEmptySelector(selector)
  // No selector at all selects nothing, so no labels match it.
  if (!empty && !matchesSelector(selector, labels)) {
    const text = '`selector` does not match template `labels`'
    causes.push(invalid('spec.template.metadata.labels', labels ?? null, text))
  }
  validateTemplate(template, 'spec.template', causes)
  if (template.spec.restartPolicy !== 'Always') {
    causes.push(notSupported('spec.template.spec.restartPolicy', template.spec.restartPolicy ?? '', ['Always']))
  }
  if (template.spec.activeDeadlineSeconds !== undefined) {
    const text = 'activeDeadlineSeconds in ReplicaSet is not Supported'
    causes.push(forbidden('spec.template.spec.activeDeadlineSeconds', text))
  }
}

function validateShare(value: number | string, path: string, causes: Causes): void {
  if (typeof value === 'number') notNegative(value, path, causes)
  else for (const problem of percentProblems(value)) causes.push(invalid(path, value, problem))
}

function shareValue(value: number | string): number {
  if (typeof value === 'number') return value
  return /^[0-9]+%?$/.test(value) ? Number.parseInt(value, 10) : 0
}

function validateStrategy(spec: DeploymentSpec, causes: Causes): void {
  const strategy = spec.strategy ?? {}
  if (strategy.type === 'Recreate') {
    if (strategy.rollingUpdate !== undefined) {
      const text = "may not be specified when strategy `type` is 'Recreate'"
      causes.push(forbidden('spec.strategy.rollingUpdate', text))
    }
    return
  }
  if (strategy.type !== 'RollingUpdate') {
    // The server shows its internal struct here, with Go's member names.
    const shown = { Type: strategy.type ?? '', RollingUpdate: strategy.rollingUpdate ?? null }
    causes.push(notSupported('spec.strategy', shown, ['Recreate', 'RollingUpdate']))
    return
  }
  const unavailable = strategy.rollingUpdate?.maxUnavailable ?? 0
  const surge = strategy.rollingUpdate?.maxSurge ?? 0
  const path = 'spec.strategy.rollingUpdate'
  validateShare(unavailable, `${path}.maxUnavailable`, causes)
  validateShare(surge, `${path}.maxSurge`, causes)
  if (shareValue(unavailable) === 0 && shareValue(surge) === 0) {
    causes.push(invalid(`${path}.maxUnavailable`, unavailable, 'may not be 0 when `maxSurge` is 0'))
  }
  if (typeof unavailable === 'string' && percentProblems(unavailable).length === 0 && shareValue(unavailable) > 100) {
    causes.push(invalid(`${path}.maxUnavailable`, unavailable, 'must not be greater than 100%'))
  }
}

export function validateDeployment(spec: DeploymentSpec, causes: Causes): void {
  notNegative(spec.replicas, 'spec.replicas', causes)
  validateSelector(spec.selector, causes)
  validateSelectedTemplate(spec.selector, spec.template, causes)
  validateStrategy(spec, causes)
  notNegative(spec.minReadySeconds, 'spec.minReadySeconds', causes)
  notNegative(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit', causes)
  const deadline = spec.progressDeadlineSeconds
  if (deadline === undefined) return
  notNegative(deadline, 'spec.progressDeadlineSeconds', causes)
  if (deadline <= (spec.minReadySeconds ?? 0)) {
    causes.push(invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds'))
  }
}

export function validateReplicaSet(spec: ReplicaSet['spec'], causes: Causes): void {
  notNegative(spec.replicas, 'spec.replicas', causes)
  notNegative(spec.minReadySeconds, 'spec.minReadySeconds', causes)
  validateSelector(spec.selector, causes)
  validateSelectedTemplate(spec.selector, spec.template, causes)
}

export function validateSelectorKept(
  after: Deployment['spec'] | ReplicaSet['spec'],
  before: typeof after,
  causes: Causes,
) {
  if (isSame(after.selector, before.selector)) return
  causes.push(invalid('spec.selector', after.selector ?? null, 'field is immutable'))
}
