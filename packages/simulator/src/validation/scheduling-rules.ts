import { type Causes, duplicate, forbidden, invalid, notSupported, required } from './field.ts'
import type {
  Affinity,
  LabelRequirement,
  LabelSelector,
  NodeSelectorTerm,
  PodAffinityRules,
  PodAffinityTerm,
  SpreadConstraint,
  Toleration,
} from './kube-types.ts'
import { validateLabelSelector } from './metadata.ts'
import { dnsLabelProblems, dnsSubdomainProblems, labelValueProblems, qualifiedNameProblems } from './names.ts'

/** What a pod says about where it may run: affinity, tolerations, topology spread. After the API server's rules. */

const IN_VALUES = "must be specified when `operator` is 'In' or 'NotIn'"
const NO_VALUES = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
const WEIGHT = 'must be in the range 1-100'

function validateNodeRequirement(rule: LabelRequirement, checkValues: boolean, path: string, causes: Causes): void {
  const values = rule.values ?? []
  switch (rule.operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0) causes.push(required(`${path}.values`, IN_VALUES))
      break
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0) causes.push(forbidden(`${path}.values`, NO_VALUES))
      break
    case 'Gt':
    case 'Lt':
      if (values.length !== 1) {
        causes.push(required(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"))
      }
      break
    default:
      causes.push(invalid(`${path}.operator`, rule.operator, 'not a valid selector operator'))
  }
  for (const problem of qualifiedNameProblems(rule.key)) causes.push(invalid(`${path}.key`, rule.key, problem))
  if (!checkValues) return
  for (const [index, value] of values.entries()) {
    for (const problem of labelValueProblems(value)) causes.push(invalid(`${path}.values[${index}]`, value, problem))
  }
}

function validateFieldRequirement(rule: LabelRequirement, path: string, causes: Causes): void {
  const values = rule.values ?? []
  if (rule.operator !== 'In' && rule.operator !== 'NotIn') {
    causes.push(invalid(`${path}.operator`, rule.operator, 'not a valid selector operator'))
  } else if (values.length !== 1) {
    causes.push(
      required(`${path}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"),
    )
  }
  if (rule.key !== 'metadata.name') {
    causes.push(invalid(`${path}.key`, rule.key, 'not a valid field selector key'))
    return
  }
  for (const [index, value] of values.entries()) {
    for (const problem of dnsSubdomainProblems(value)) causes.push(invalid(`${path}.values[${index}]`, value, problem))
  }
}

function validateNodeTerm(term: NodeSelectorTerm, checkValues: boolean, path: string, causes: Causes): void {
  for (const [index, rule] of (term.matchExpressions ?? []).entries()) {
    validateNodeRequirement(rule, checkValues, `${path}.matchExpressions[${index}]`, causes)
  }
  for (const [index, rule] of (term.matchFields ?? []).entries()) {
    validateFieldRequirement(rule, `${path}.matchFields[${index}]`, causes)
  }
}

function validateLabelKeys(
  keys: readonly string[],
  selector: LabelSelector | undefined,
  path: string,
  causes: Causes,
): void {
  if (keys.length === 0) return
  if (selector === undefined) {
    causes.push(forbidden(path, 'must not be specified when labelSelector is not set'))
    return
  }
  for (const [index, key] of keys.entries()) {
    for (const problem of qualifiedNameProblems(key)) causes.push(invalid(`${path}[${index}]`, key, problem))
  }
}

function validateKeyLists(
  matching: readonly string[],
  mismatching: readonly string[],
  selector: LabelSelector | undefined,
  path: string,
  causes: Causes,
): void {
  validateLabelKeys(matching, selector, `${path}.matchLabelKeys`, causes)
  validateLabelKeys(mismatching, selector, `${path}.mismatchLabelKeys`, causes)
  // A pod template has not got the expressions that the server merges in at a pod, so a second one is the user's.
  const seen = new Set(Object.keys(selector?.matchLabels ?? {}))
  for (const expression of selector?.matchExpressions ?? []) {
    const index = matching.indexOf(expression.key)
    if (index >= 0 && seen.has(expression.key)) {
      causes.push(invalid(`${path}[${index}]`, expression.key, 'exists in both matchLabelKeys and labelSelector'))
    }
    seen.add(expression.key)
  }
  for (const [index, key] of matching.entries()) {
    if (!mismatching.includes(key)) continue
    causes.push(invalid(`${path}.matchLabelKeys[${index}]`, key, 'exists in both matchLabelKeys and mismatchLabelKeys'))
  }
}

function validatePodTerm(term: PodAffinityTerm, path: string, causes: Causes): void {
  validateLabelSelector(term.labelSelector, `${path}.labelSelector`, causes)
  validateLabelSelector(term.namespaceSelector, `${path}.namespaceSelector`, causes)
  for (const name of term.namespaces ?? []) {
    for (const problem of dnsLabelProblems(name)) causes.push(invalid(`${path}.namespace`, name, problem))
  }
  validateKeyLists(term.matchLabelKeys ?? [], term.mismatchLabelKeys ?? [], term.labelSelector, path, causes)
  if (term.topologyKey === '') causes.push(required(`${path}.topologyKey`, 'can not be empty'))
  for (const problem of qualifiedNameProblems(term.topologyKey)) {
    causes.push(invalid(`${path}.topologyKey`, term.topologyKey, problem))
  }
}

function validatePodRules(rules: PodAffinityRules, path: string, causes: Causes): void {
  const hard = `${path}.requiredDuringSchedulingIgnoredDuringExecution`
  for (const [index, term] of (rules.requiredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
    validatePodTerm(term, `${hard}[${index}]`, causes)
  }
  const soft = `${path}.preferredDuringSchedulingIgnoredDuringExecution`
  for (const [index, term] of (rules.preferredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
    if (term.weight <= 0 || term.weight > 100) causes.push(invalid(`${soft}[${index}].weight`, term.weight, WEIGHT))
    validatePodTerm(term.podAffinityTerm, `${soft}[${index}].podAffinityTerm`, causes)
  }
}

export function validateAffinity(affinity: Affinity | undefined, path: string, causes: Causes): void {
  const node = affinity?.nodeAffinity
  const hard = node?.requiredDuringSchedulingIgnoredDuringExecution
  if (hard !== undefined) {
    const at = `${path}.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`
    const terms = hard.nodeSelectorTerms ?? []
    if (terms.length === 0) causes.push(required(at, 'must have at least one node selector term'))
    for (const [index, term] of terms.entries()) validateNodeTerm(term, true, `${at}[${index}]`, causes)
  }
  const soft = `${path}.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution`
  for (const [index, term] of (node?.preferredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
    if (term.weight <= 0 || term.weight > 100) causes.push(invalid(`${soft}[${index}].weight`, term.weight, WEIGHT))
    validateNodeTerm(term.preference, false, `${soft}[${index}].preference`, causes)
  }
  if (affinity?.podAffinity !== undefined) validatePodRules(affinity.podAffinity, `${path}.podAffinity`, causes)
  if (affinity?.podAntiAffinity !== undefined) {
    validatePodRules(affinity.podAntiAffinity, `${path}.podAntiAffinity`, causes)
  }
}

const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']

export function validateTolerations(tolerations: readonly Toleration[], path: string, causes: Causes): void {
  for (const [index, toleration] of tolerations.entries()) {
    const at = `${path}[${index}]`
    const { key = '', operator = '', value = '', effect = '' } = toleration
    if (key !== '') {
      for (const problem of qualifiedNameProblems(key)) causes.push(invalid(`${at}.key`, key, problem))
    } else if (operator !== 'Exists') {
      causes.push(
        invalid(
          `${at}.operator`,
          operator,
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      )
    }
    if (toleration.tolerationSeconds !== undefined && effect !== 'NoExecute') {
      causes.push(invalid(`${at}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"))
    }
    switch (operator) {
      case '':
      case 'Equal': {
        const problems = labelValueProblems(value)
        if (problems.length > 0) causes.push(invalid(`${at}.operator`, value, problems.join(';')))
        break
      }
      case 'Exists':
        if (value !== '') {
          causes.push(invalid(`${at}.operator`, value, "value must be empty when `operator` is 'Exists'"))
        }
        break
      case 'Lt':
      case 'Gt':
        causes.push(notSupported(`${at}.operator`, operator, ['Equal', 'Exists', 'Lt', 'Gt']))
        break
      default:
        causes.push(notSupported(`${at}.operator`, operator, ['Equal', 'Exists']))
    }
    if (effect !== '' && !EFFECTS.includes(effect)) causes.push(notSupported(`${at}.effect`, effect, EFFECTS))
  }
}

const ACTIONS = ['DoNotSchedule', 'ScheduleAnyway']
const POLICIES = ['Honor', 'Ignore']

export function validateSpread(constraints: readonly SpreadConstraint[], path: string, causes: Causes): void {
  for (const [index, constraint] of constraints.entries()) {
    const at = `${path}[${index}]`
    const { maxSkew, topologyKey, whenUnsatisfiable, minDomains, nodeAffinityPolicy, nodeTaintsPolicy } = constraint
    if (maxSkew <= 0) causes.push(invalid(`${at}.maxSkew`, maxSkew, 'must be greater than zero'))
    if (topologyKey === '') causes.push(required(`${at}.topologyKey`, 'can not be empty'))
    if (!ACTIONS.includes(whenUnsatisfiable)) {
      causes.push(notSupported(`${at}.whenUnsatisfiable`, whenUnsatisfiable, ACTIONS))
    }
    const repeats = constraints
      .slice(index + 1)
      .some((other) => other.topologyKey === topologyKey && other.whenUnsatisfiable === whenUnsatisfiable)
    if (repeats) {
      causes.push(duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, `{${topologyKey}, ${whenUnsatisfiable}}`))
    }
    if (minDomains !== undefined) {
      if (minDomains <= 0) causes.push(invalid(`${at}.minDomains`, minDomains, 'must be greater than zero'))
      if (whenUnsatisfiable !== 'DoNotSchedule') {
        const text = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`
        causes.push(invalid(`${at}.minDomains`, minDomains, text))
      }
    }
    if (nodeAffinityPolicy !== undefined && !POLICIES.includes(nodeAffinityPolicy)) {
      causes.push(notSupported(`${at}.nodeAffinityPolicy`, nodeAffinityPolicy, POLICIES))
    }
    if (nodeTaintsPolicy !== undefined && !POLICIES.includes(nodeTaintsPolicy)) {
      causes.push(notSupported(`${at}.nodeTaintsPolicy`, nodeTaintsPolicy, POLICIES))
    }
    validateKeyLists(constraint.matchLabelKeys ?? [], [], constraint.labelSelector, at, causes)
    validateLabelSelector(constraint.labelSelector, `${at}.labelSelector`, causes)
  }
}
