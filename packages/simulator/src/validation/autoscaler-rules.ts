import { type Causes, forbidden, invalid, notSupported, required } from './field.ts'
import type {
  Autoscaler,
  AutoscalerSpec,
  MetricIdentifier,
  MetricSpec,
  MetricTarget,
  ScalingRules,
  TargetRef,
} from './kube-types.ts'
import { dnsLabelProblems } from './names.ts'
import { quantityNano } from './quantity.ts'

/** Rules of HorizontalPodAutoscalers (autoscaling/v2). After the API server's pkg/apis/autoscaling/validation. */

const METRIC_TYPES = ['ContainerResource', 'External', 'Object', 'Pods', 'Resource']
const POLICY_TYPES = ['Percent', 'Pods']
const SELECTS = ['Disabled', 'Max', 'Min']
const TARGET_TYPES = ['Utilization', 'Value', 'AverageValue']

/** Order in which the server looks at a metric's sources. */
const SOURCES = ['object', 'external', 'pods', 'resource', 'containerResource'] as const

function pathSegmentProblems(name: string): readonly string[] {
  if (name === '.' || name === '..') return [`may not be '${name}'`]
  return ['/', '%'].filter((character) => name.includes(character)).map((character) => `may not contain '${character}'`)
}

function validateReference(ref: TargetRef, group: 'required' | 'optional' | 'unchecked', path: string, causes: Causes) {
  for (const member of ['kind', 'name'] as const) {
    if (ref[member] === '') causes.push(required(`${path}.${member}`))
    else
      for (const problem of pathSegmentProblems(ref[member]))
        causes.push(invalid(`${path}.${member}`, ref[member], problem))
  }
  const version = ref.apiVersion ?? ''
  if (group === 'unchecked') return
  if (version.split('/').length > 2) {
    causes.push(invalid(`${path}.apiVersion`, version, `unexpected GroupVersion string: ${version}`))
  } else if (group === 'required' && (!version.includes('/') || version.startsWith('/'))) {
    causes.push(invalid(`${path}.apiVersion`, version, 'apiVersion must specify API group'))
  }
}

function validateIdentifier(metric: MetricIdentifier, path: string, causes: Causes): void {
  if (metric.name === '') causes.push(required(`${path}.name`, 'must specify a metric name'))
  else
    for (const problem of pathSegmentProblems(metric.name)) causes.push(invalid(`${path}.name`, metric.name, problem))
}

function validateTarget(target: MetricTarget, path: string, causes: Causes): void {
  if (target.type === '') causes.push(required(`${path}.type`, 'must specify a metric target type'))
  if (!TARGET_TYPES.includes(target.type)) {
    causes.push(invalid(`${path}.type`, target.type, 'must be either Utilization, Value, or AverageValue'))
  }
  for (const member of ['value', 'averageValue'] as const) {
    const value = target[member]
    if (value !== undefined && quantityNano(value) <= 0n) {
      causes.push(invalid(`${path}.${member}`, value, 'must be positive'))
    }
  }
  const utilization = target.averageUtilization
  if (utilization !== undefined && utilization < 1) {
    causes.push(invalid(`${path}.averageUtilization`, utilization, 'must be greater than 0'))
  }
}

function validateUtilization(target: MetricTarget, path: string, causes: Causes): void {
  if (target.averageUtilization === undefined && target.averageValue === undefined) {
    const text = 'must set either a target raw value or a target utilization'
    causes.push(required(`${path}.target.averageUtilization`, text))
  }
  if (target.averageUtilization !== undefined && target.averageValue !== undefined) {
    const text = 'may not set both a target raw value and a target utilization'
    causes.push(forbidden(`${path}.target.averageValue`, text))
  }
}

function validateSource(metric: MetricSpec, source: (typeof SOURCES)[number], path: string, causes: Causes): void {
  const at = `${path}.${source}`
  const target = metric[source]?.target ?? { type: '' }
  const none = target.value === undefined && target.averageValue === undefined
  switch (source) {
    case 'object':
      if (metric.object === undefined) return
      validateReference(metric.object.describedObject, 'optional', `${at}.describedObject`, causes)
      validateIdentifier(metric.object.metric, `${at}.metric`, causes)
      validateTarget(target, `${at}.target`, causes)
      if (none) {
        causes.push(required(`${at}.target.averageValue`, 'must set either a target value or averageValue'))
      }
      return
    case 'external':
      if (metric.external === undefined) return
      validateIdentifier(metric.external.metric, `${at}.metric`, causes)
      validateTarget(target, `${at}.target`, causes)
      if (none) {
        const text = 'must set either a target value for metric or a per-pod target'
        causes.push(required(`${at}.target.averageValue`, text))
      }
      if (target.value !== undefined && target.averageValue !== undefined) {
        const text = 'may not set both a target value for metric and a per-pod target'
        causes.push(forbidden(`${at}.target.value`, text))
      }
      return
    case 'pods':
      if (metric.pods === undefined) return
      validateIdentifier(metric.pods.metric, `${at}.metric`, causes)
      validateTarget(target, `${at}.target`, causes)
      if (target.averageValue === undefined) {
        causes.push(required(`${at}.target.averageValue`, 'must specify a positive target averageValue'))
      }
      return
    case 'resource':
      if (metric.resource?.name === '') causes.push(required(`${at}.name`, 'must specify a resource name'))
      validateTarget(target, `${at}.target`, causes)
      validateUtilization(target, at, causes)
      return
    case 'containerResource': {
      const container = metric.containerResource
      if (container === undefined) return
      if (container.name === '') causes.push(required(`${at}.name`, 'must specify a resource name'))
      if (container.container === '') causes.push(required(`${at}.container`, 'must specify a container'))
      else {
        for (const problem of dnsLabelProblems(container.container)) {
          causes.push(invalid(`${at}.container`, container.container, problem))
        }
      }
      validateTarget(target, `${at}.target`, causes)
      validateUtilization(target, at, causes)
    }
  }
}

function validateMetric(metric: MetricSpec, path: string, causes: Causes): void {
  if (metric.type === '') causes.push(required(`${path}.type`, 'must specify a metric source type'))
  const known = METRIC_TYPES.includes(metric.type)
  if (!known) causes.push(notSupported(`${path}.type`, metric.type, METRIC_TYPES))
  const given = SOURCES.filter((source) => metric[source] !== undefined)
  const first = given[0]
  if (first !== undefined) validateSource(metric, first, path, causes)
  const expected = metric.type.charAt(0).toLowerCase() + metric.type.slice(1)
  if (!known) causes.push(notSupported(`${path}.type`, metric.type, METRIC_TYPES))
  else if (!given.some((source) => source === expected)) {
    causes.push(required(`${path}.${expected}`, 'must populate information for the given metric source'))
  }
  if (given.length === 1) return
  for (const source of given) {
    if (source === expected) continue
    causes.push(forbidden(`${path}.${source}`, 'must populate the given metric source only'))
  }
}

function validateRules(rules: ScalingRules | undefined, path: string, causes: Causes): void {
  if (rules === undefined) return
  const window = rules.stabilizationWindowSeconds
  if (window !== undefined && window < 0) {
    causes.push(invalid(`${path}.stabilizationWindowSeconds`, window, 'must be greater than or equal to zero'))
  }
  if (window !== undefined && window > 3600) {
    causes.push(invalid(`${path}.stabilizationWindowSeconds`, window, 'must be less than or equal to 3600'))
  }
  if (rules.selectPolicy !== undefined && !SELECTS.includes(rules.selectPolicy)) {
    causes.push(notSupported(`${path}.selectPolicy`, rules.selectPolicy, SELECTS))
  }
  const policies = rules.policies ?? []
  if (policies.length === 0) causes.push(required(`${path}.policies`, 'must specify at least one Policy'))
  for (const [index, policy] of policies.entries()) {
    const at = `${path}.policies[${index}]`
    if (!POLICY_TYPES.includes(policy.type)) causes.push(notSupported(`${at}.type`, policy.type, POLICY_TYPES))
    if (policy.value <= 0) causes.push(invalid(`${at}.value`, policy.value, 'must be greater than zero'))
    if (policy.periodSeconds <= 0) {
      causes.push(invalid(`${at}.periodSeconds`, policy.periodSeconds, 'must be greater than zero'))
    }
    if (policy.periodSeconds > 1800) {
      causes.push(invalid(`${at}.periodSeconds`, policy.periodSeconds, 'must be less than or equal to 1800'))
    }
  }
  if (rules.tolerance !== undefined && quantityNano(rules.tolerance) < 0n) {
    causes.push(invalid(`${path}.tolerance`, rules.tolerance, 'must be greater than or equal to 0'))
  }
}

export function validateAutoscaler(spec: AutoscalerSpec, before: Autoscaler | undefined, causes: Causes): void {
  const { minReplicas, maxReplicas } = spec
  if (minReplicas !== undefined && minReplicas < 1) {
    causes.push(invalid('spec.minReplicas', minReplicas, 'must be greater than or equal to 1'))
  }
  if (maxReplicas === 0) causes.push(required('spec.maxReplicas', 'must be set and greater than 0'))
  else if (maxReplicas < 0) causes.push(invalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to 1'))
  if (minReplicas !== undefined && maxReplicas < minReplicas) {
    causes.push(invalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`'))
  }
  validateReference(spec.scaleTargetRef, groupRule(spec.scaleTargetRef, before), 'spec.scaleTargetRef', causes)
  for (const [index, metric] of (spec.metrics ?? []).entries()) validateMetric(metric, `spec.metrics[${index}]`, causes)
  if (minReplicas === 0 && !(spec.metrics ?? []).some(({ type }) => type === 'Object' || type === 'External')) {
    const text = 'must specify at least one Object or External metric to support scaling to zero replicas'
    causes.push(forbidden('spec.metrics', text))
  }
  validateRules(spec.behavior?.scaleUp, 'spec.behavior.scaleUp', causes)
  validateRules(spec.behavior?.scaleDown, 'spec.behavior.scaleDown', causes)
}

function groupRule(ref: TargetRef, before: Autoscaler | undefined): 'required' | 'optional' | 'unchecked' {
  const old = before?.spec.scaleTargetRef
  if (old !== undefined && old.apiVersion === ref.apiVersion && old.kind === ref.kind) return 'unchecked'
  return ref.kind === 'ReplicationController' ? 'optional' : 'required'
}
