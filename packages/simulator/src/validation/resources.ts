import { type Causes, forbidden, invalid, notFound, required } from './field.ts'
import type { ResourceRequirements } from './kube-types.ts'
import { qualifiedNameProblems } from './names.ts'
import { parseQuantity, quantityNano } from './quantity.ts'

/** Names and amounts of compute resources. After the API server's validateResourceRequirements. */

const STANDARD = new Set(
  (
    'cpu memory ephemeral-storage requests.cpu requests.memory requests.ephemeral-storage limits.cpu limits.memory ' +
    'limits.ephemeral-storage pods resourcequotas services replicationcontrollers secrets configmaps ' +
    'persistentvolumeclaims storage requests.storage services.nodeports services.loadbalancers'
  ).split(' '),
)
const CONTAINER = new Set(['cpu', 'memory', 'ephemeral-storage'])
const INTEGER = new Set(
  'pods resourcequotas services replicationcontrollers secrets configmaps persistentvolumeclaims services.nodeports services.loadbalancers'.split(
    ' ',
  ),
)

const isHugePages = (name: string) => name.startsWith('hugepages-')
const isNative = (name: string) => !name.includes('/') || name.includes('kubernetes.io/')

function isExtended(name: string): boolean {
  if (isNative(name) || name.startsWith('requests.')) return false
  return qualifiedNameProblems(`requests.${name}`).length === 0
}

function validateName(name: string, path: string, causes: Causes): void {
  const before = causes.length
  for (const problem of qualifiedNameProblems(name)) causes.push(invalid(path, name, problem))
  if (causes.length === before && !name.includes('/')) {
    if (!STANDARD.has(name) && !isHugePages(name) && !name.startsWith('requests.hugepages-')) {
      causes.push(invalid(path, name, 'must be a standard resource type or fully qualified'))
    }
  }
  if (name.split('/').length === 1) {
    if (!CONTAINER.has(name) && !isHugePages(name)) {
      causes.push(invalid(path, name, 'must be a standard resource for containers'))
    }
  } else if (!isNative(name) && !isExtended(name)) {
    causes.push(invalid(path, name, "doesn't follow extended resource name standard"))
  }
}

export function validateQuantity(name: string, text: string, path: string, causes: Causes): void {
  const nano = quantityNano(text)
  if (nano < 0n) causes.push(invalid(path, text, 'must be greater than or equal to 0'))
  if ((INTEGER.has(name) || isExtended(name)) && nano % 1_000_000_000n !== 0n) {
    causes.push(invalid(path, text, 'must be an integer'))
  }
}

function validateHugePages(name: string, text: string, path: string, causes: Causes): void {
  const page = parseQuantity(name.slice('hugepages-'.length))
  if (typeof page === 'string' || page.nano <= 0n) return
  if (quantityNano(text) % page.nano === 0n) return
  causes.push(invalid(path, text, `${text} is not positive integer multiple of ${name}`))
}

export function validateResources(
  resources: ResourceRequirements,
  path: string,
  claimNames: ReadonlySet<string>,
  causes: Causes,
): void {
  const limits = resources.limits ?? {}
  const requests = resources.requests ?? {}
  for (const [name, text] of Object.entries(limits)) {
    const at = `${path}.limits[${name}]`
    validateName(name, at, causes)
    validateQuantity(name, text, at, causes)
    if (isHugePages(name)) validateHugePages(name, text, at, causes)
  }
  for (const [name, text] of Object.entries(requests)) {
    const at = `${path}.requests[${name}]`
    validateName(name, at, causes)
    validateQuantity(name, text, at, causes)
    const overcommits = isNative(name) && !isHugePages(name)
    const limit = Object.hasOwn(limits, name) ? limits[name] : undefined
    if (limit !== undefined) {
      const difference = quantityNano(text) - quantityNano(limit)
      if (difference !== 0n && !overcommits) {
        causes.push(invalid(`${path}.requests`, text, `must be equal to ${name} limit of ${limit}`))
      } else if (difference > 0n) {
        causes.push(invalid(`${path}.requests`, text, `must be less than or equal to ${name} limit of ${limit}`))
      }
    } else if (!overcommits) {
      causes.push(required(`${path}.limits`, 'Limit must be set for non overcommitable resources'))
    }
    if (isHugePages(name)) validateHugePages(name, text, at, causes)
  }
  const names = [...Object.keys(limits), ...Object.keys(requests)]
  if (names.some(isHugePages) && !names.some((name) => name === 'cpu' || name === 'memory')) {
    causes.push(forbidden(path, 'HugePages require cpu or memory'))
  }
  for (const [index, claim] of (resources.claims ?? []).entries()) {
    const at = `${path}.claims[${index}]`
    if (claim.name === '') causes.push(required(at))
    else if (!claimNames.has(claim.name)) {
      const known = claimNames.size === 0 ? ' which is empty' : `: ${[...claimNames].toSorted().join(', ')}`
      const cause = notFound(at, claim.name)
      causes.push({
        ...cause,
        message: `${cause.message}: must be one of the names in pod.spec.resourceClaims${known}`,
      })
    }
  }
}
