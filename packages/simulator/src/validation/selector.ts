import type { LabelRequirement, LabelSelector, StringMap } from './kube-types.ts'

/** Label selectors: matching, as the API server and its controllers do it. */

const EMPTY: StringMap = {}

function matchesRequirement(requirement: LabelRequirement, labels: StringMap): boolean {
  const has = Object.hasOwn(labels, requirement.key)
  const value = has ? labels[requirement.key] : undefined
  switch (requirement.operator) {
    case 'In':
      return value !== undefined && (requirement.values ?? []).includes(value)
    case 'NotIn':
      return value === undefined || !(requirement.values ?? []).includes(value)
    case 'Exists':
      return has
    case 'DoesNotExist':
      return !has
    case 'Gt':
    case 'Lt':
      return compares(requirement, value)
    default:
      return false
  }
}

/** Node affinity's numeric operators: both sides must be whole numbers. */
function compares(requirement: LabelRequirement, value: string | undefined): boolean {
  const bound = requirement.values?.[0]
  if (value === undefined || bound === undefined || requirement.values?.length !== 1) return false
  if (!/^[+-]?\d+$/.test(value) || !/^[+-]?\d+$/.test(bound)) return false
  return requirement.operator === 'Gt' ? BigInt(value) > BigInt(bound) : BigInt(value) < BigInt(bound)
}

export function matchesRequirements(requirements: readonly LabelRequirement[], labels: StringMap): boolean {
  return requirements.every((requirement) => matchesRequirement(requirement, labels))
}

/** Absent selects nothing; empty selects everything. */
export function matchesSelector(selector: LabelSelector | undefined, labels: StringMap = EMPTY): boolean {
  if (selector === undefined) return false
  for (const [key, value] of Object.entries(selector.matchLabels ?? EMPTY)) {
    if (!Object.hasOwn(labels, key) || labels[key] !== value) return false
  }
  return matchesRequirements(selector.matchExpressions ?? [], labels)
}

export function isEmptySelector(selector: LabelSelector): boolean {
  return Object.keys(selector.matchLabels ?? EMPTY).length === 0 && (selector.matchExpressions ?? []).length === 0
}
