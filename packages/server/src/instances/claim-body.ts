import { createHash } from 'node:crypto'
import { defaultTimeoutMs, instanceIdPattern, maxBatch, maxLeaseSeconds, maxTimeoutMs } from '@podyard/contract'
import type { Claim, Selector } from './instance.ts'
import { cpuMillisOf, memoryBytesOf } from './quantity.ts'

/** A body that is no claim: which member, and what it must be. */
export class ClaimBodyError extends Error {
  override readonly name = 'ClaimBodyError'
}

type Members = Readonly<Record<string, unknown>>

/** Reads a claim from a parsed body; unknown members are ignored, null is absent. `newId` makes an id where none is given. */
export function readClaim(body: unknown, newId: () => string): Claim {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw refuse('the body', 'must be an object')
  const members = body as Members
  const id = readId(members)
  const count = integerOf(members, 'count', 1, maxBatch)
  if (id !== undefined && count !== undefined) throw refuse('id', 'cannot be given together with count')
  const requestId = textOf(members, 'request_id', 1, 256)
  const policy = readPolicy(members)
  const claim = {
    selector: readSelector(members),
    policy,
    ...readResources(members, policy),
    count: count ?? 1,
    isBatch: count !== undefined,
    labels: readLabels(members),
    tenant: textOf(members, 'tenant', 0, 256) ?? '',
    priority: integerOf(members, 'priority', -2_147_483_648, 2_147_483_647) ?? 0,
    leaseSeconds: integerOf(members, 'lease_seconds', 0, maxLeaseSeconds) ?? 0,
    timeoutMs: integerOf(members, 'timeout_ms', 0, maxTimeoutMs) ?? (count === undefined ? defaultTimeoutMs : 0),
    ...(booleanOf(members, 'replace_lost') === true ? { replaceLost: true as const } : {}),
  }
  return {
    id: id ?? newId(),
    isChosen: id !== undefined,
    requestId: requestId ?? null,
    bodyHash: requestId === undefined ? '' : hashOf(claim, id),
    ...claim,
  }
}

/**
 * The body that one instance of a claim is claimed by anew, without its ids. It waits for as long as a claim waits that says
 * nothing of it.
 */
export function claimMembers({ selector, policy, ...claim }: Claim): object {
  const where = { pool: 'pool', group: 'group', labels: 'pool_labels' } as const
  const requests = {
    ...(claim.cpuMillis > 0 ? { cpu: `${claim.cpuMillis}m` } : {}),
    ...(claim.memoryBytes > 0 ? { memory: String(claim.memoryBytes) } : {}),
  }
  return {
    [where[selector.kind]]:
      selector.kind === 'pool' ? selector.pool : selector.kind === 'group' ? selector.group : selector.keys,
    schedule_policy: policy,
    ...(policy === 'shared' ? { resources: { requests } } : {}),
    labels: claim.labels,
    tenant: claim.tenant,
    priority: claim.priority,
    lease_seconds: claim.leaseSeconds,
  }
}

/** Over what was understood, in one order of members: a body written differently is the same body. */
function hashOf(claim: { readonly labels: Claim['labels'] }, id: string | undefined): string {
  const labels = claim.labels === null ? null : Object.entries(claim.labels).sort(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256')
    .update(JSON.stringify({ ...claim, labels, id: id ?? null }))
    .digest('hex')
}

const idForm = new RegExp(instanceIdPattern)

function readId(members: Members): string | undefined {
  const id = textOf(members, 'id', 1, 128)
  // The path of the stream of events.
  if (id === 'events') throw refuse('id', 'cannot be "events"')
  if (id !== undefined && !idForm.test(id))
    throw refuse('id', "must be 1 to 128 letters, digits, '.', '_', ':', '@' and '-', and begin with a letter or digit")
  return id
}

function readSelector(members: Members): Selector {
  const pool = textOf(members, 'pool', 1, 256)
  const group = textOf(members, 'group', 1, 256)
  const keys = readKeys(members)
  if ([pool, group, keys].filter((one) => one !== undefined).length !== 1)
    throw refuse('pool, group, pool_labels', 'exactly one of them must be given')
  if (pool !== undefined) return { kind: 'pool', pool }
  return group !== undefined ? { kind: 'group', group } : { kind: 'labels', keys: keys ?? [] }
}

function readKeys(members: Members): readonly string[] | undefined {
  const keys = members.pool_labels ?? undefined
  if (keys === undefined) return undefined
  const isList = Array.isArray(keys) && keys.length >= 1 && keys.length <= 32
  if (!isList || !keys.every((key) => typeof key === 'string' && key !== '' && key.length <= 317))
    throw refuse('pool_labels', 'must be a list of 1 to 32 label keys')
  return [...new Set(keys as string[])]
}

function readPolicy(members: Members): Claim['policy'] {
  const policy = members.schedule_policy ?? 'exclusive'
  if (policy !== 'exclusive' && policy !== 'shared') throw refuse('schedule_policy', 'must be "exclusive" or "shared"')
  return policy
}

function readResources(members: Members, policy: Claim['policy']): { cpuMillis: number; memoryBytes: number } {
  const resources = members.resources ?? undefined
  // An exclusive instance has all of its pod, whatever it says.
  if (policy === 'exclusive' && resources === undefined) return { cpuMillis: 0, memoryBytes: 0 }
  if (!isObject(resources)) throw refuse('resources', 'must be an object such as {"requests": {"cpu": "100m"}}')
  // Both {"requests": {"cpu": ..}} and {"cpu": ..} are understood; limits say nothing here.
  const requests = 'requests' in resources ? resources.requests : resources
  if (!isObject(requests))
    throw refuse('resources.requests', 'must be an object such as {"cpu": "100m", "memory": "64Mi"}')
  for (const name of Object.keys(requests))
    if (name !== 'cpu' && name !== 'memory')
      throw refuse(`resources.requests.${name}`, 'is not known: give cpu, memory or both')
  const cpuMillis = quantityOf(requests, 'cpu', cpuMillisOf)
  const memoryBytes = quantityOf(requests, 'memory', memoryBytesOf)
  if (policy === 'exclusive') return { cpuMillis: 0, memoryBytes: 0 }
  if (cpuMillis === 0 && memoryBytes === 0)
    throw refuse('resources.requests', 'must ask for some cpu or memory when schedule_policy is "shared"')
  return { cpuMillis, memoryBytes }
}

function quantityOf(requests: Members, name: string, read: (text: string) => number | undefined): number {
  const value = requests[name] ?? undefined
  if (value === undefined) return 0
  const amount = typeof value === 'string' ? read(value) : undefined
  if (amount === undefined) throw refuse(`resources.requests.${name}`, 'must be a quantity such as "100m" or "64Mi"')
  return amount
}

/** Kubernetes' own forms: what is refused here would be refused there, after the claim. */
const labelKey = /^(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/
const labelValue = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/

function readLabels(members: Members): Claim['labels'] {
  const labels = members.labels ?? undefined
  if (labels === undefined) return null
  if (!isObject(labels) || Object.keys(labels).length > 64)
    throw refuse('labels', 'must be an object of at most 64 labels')
  for (const [key, value] of Object.entries(labels)) {
    if (!labelKey.test(key)) throw refuse(`labels.${key.slice(0, 80)}`, 'is not a label key of Kubernetes')
    if (key === 'tenantId') throw refuse('labels.tenantId', 'cannot be set: give tenant')
    if (typeof value !== 'string' || !labelValue.test(value))
      throw refuse(
        `labels.${key.slice(0, 80)}`,
        'must be a label value of Kubernetes: at most 63 letters, digits, -, _ and .',
      )
  }
  return Object.keys(labels).length === 0 ? null : (labels as Record<string, string>)
}

function textOf(members: Members, name: string, least: number, most: number): string | undefined {
  const value = members[name] ?? undefined
  if (value === undefined) return undefined
  if (typeof value !== 'string') throw refuse(name, 'must be a string')
  if (value.length < least || value.length > most) throw refuse(name, `must have ${least} to ${most} characters`)
  return value
}

/** Numbers written with a fraction or an exponent come as an object (http/serverless-body.ts) and are none. */
function integerOf(members: Members, name: string, least: number, most: number): number | undefined {
  const value = members[name] ?? undefined
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most)
    throw refuse(name, `must be an integer from ${least} to ${most}`)
  return value
}

function booleanOf(members: Members, name: string): boolean | undefined {
  const value = members[name] ?? undefined
  if (value !== undefined && typeof value !== 'boolean') throw refuse(name, 'must be true or false')
  return value
}

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const refuse = (member: string, what: string) => new ClaimBodyError(`${member} ${what}`)
