import { checkAutoscaling } from './autoscaling.ts'
import type { Pool, PoolSpec, TextMap } from './pool.ts'
import type { PoolDraft, PoolPatch } from './pool-body.ts'

/**
 * The rules of the pool API, in the order of the pool API reference 2.3 (create) and 1.4 (update): the first that is
 * violated wins. Texts are the original's; without the tail that the wire adds. Pure.
 */

const idForm = /^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$/
const groupForm = /^[a-zA-Z0-9]([-a-zA-Z0-9]{0,38}[a-zA-Z0-9])?$/

/** What is wrong with a pool, without its id. */
export type Verdict<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string }

const refused = (reason: string) => ({ ok: false, reason }) as const

/** A new pool with its defaults, or the first rule that it violates. */
export function validatePool(draft: PoolDraft): Verdict<{ readonly id: string; readonly spec: PoolSpec }> {
  const { id, ...sent } = draft
  const refuse = (reason: string) => refused(`failed to create pod pool, id: ${id}, err: ${reason}`)
  if (!idForm.test(id))
    return refuse(
      `pod pool id can contain only lowercase letters, digits and '-'. it cannot start or end with '-' and cannot exceed 40 characters or less than 1 characters`,
    )
  const group = sent.group === '' ? 'default' : sent.group
  if (!groupForm.test(group))
    return refused(
      `failed to create pod pool, id: ${id}, group: ${group}, err: pod pool group can contain only letters, digits and '-'. it cannot start or end with '-' and cannot exceed 40 characters`,
    )
  if (sent.size < 0) return refuse('size is less than 0')
  const maxSize = sent.size !== 0 && sent.maxSize === 0 ? sent.size : sent.maxSize
  if (maxSize < sent.size) return refuse('max_size is less than size')
  if (sent.idleRecycleTime.reserved < -1) return refuse('idle time of reserved should not less than -1')
  if (sent.idleRecycleTime.scaled < -1) return refuse('idle time of scaled should not less than -1')
  if (bytesOf(sent.image) > 200) return refuse('image len is not in [1, 200]')
  if (bytesOf(sent.initImage) > 200) return refuse('init image len is not in [1, 200]')
  if (bytesOf(sent.runtimeClassName) > 64) return refuse('runtime_class_name should not greater than 64')
  if (sent.podPendingDurationThreshold < 0)
    return refuse(`podPendingDurationThreshold should not be less than 0, which is ${sent.podPendingDurationThreshold}`)
  const names = checkNames(sent.labels, sent.environment)
  if (names !== undefined) return refuse(names)
  const scaling = sent.autoscaling === null ? undefined : checkAutoscaling(sent.autoscaling)
  if (scaling !== undefined) return refuse(scaling)
  const { resources } = sent
  if (resources === null) return refuse('resources is required')
  const { requests, limits } = resources
  if (requests === null) return refuse('resources.requests is required')
  if (limits === null) return refuse('resources.limits is required')
  return { ok: true, value: { id, spec: { ...sent, group, maxSize, resources: { requests, limits } } } }
}

/** Why a pool that passed every rule was not stored: its id is taken. */
export const idIsTaken = (id: string) =>
  `failed to create pod pool, id: ${id},err: pool id already exists or is deleting`

function checkNames(labels: TextMap | null, environment: TextMap | null): string | undefined {
  for (const key of Object.keys(labels ?? {}))
    if (!isLabelKey(key))
      return `labels has the key ${JSON.stringify(key)}: a key has at most 63 letters, digits, '-', '_' and '.', starts and ends with a letter or digit, and may follow a DNS name and '/'`
  for (const name of Object.keys(environment ?? {}))
    if (!isEnvironmentName(name))
      return `environment has the name ${JSON.stringify(name)}: a name consists of letters, digits, '_', '.' and '-' and does not start with a digit`
  return undefined
}

/** Kubernetes' qualified name: `name` or `dns.prefix/name`. */
export function isLabelKey(key: string): boolean {
  const [name, prefix, ...more] = key.split('/').reverse()
  if (more.length > 0 || name === undefined) return false
  if (prefix !== undefined && (prefix.length > 253 || !dnsName.test(prefix))) return false
  return name.length <= 63 && /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/.test(name)
}

const dnsName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

/** Kubernetes' name of an environment variable. */
export function isEnvironmentName(name: string): boolean {
  return /^[-._a-zA-Z][-._a-zA-Z0-9]*$/.test(name) && name !== '.' && !name.startsWith('..')
}

const bytesOf = (text: string) => Buffer.byteLength(text, 'utf8')

/** The checks of an update that do not need the stored pool. */
export function checkPatch(patch: PoolPatch): string | undefined {
  const { sizes, autoscaling } = patch
  if (sizes !== undefined && sizes.size < 0) return 'failed to update pod pool, err: size is less than 0'
  if (sizes !== undefined && sizes.maxSize < 0) return 'failed to update pod pool, err: max_size is less than 0'
  const scaling = autoscaling === undefined || autoscaling === null ? undefined : checkAutoscaling(autoscaling)
  return scaling === undefined ? undefined : `failed to update pod pool, err: ${scaling}`
}

/**
 * Why the stored pool may not be changed now; undefined when it may. A drain, and whatever else is Podyard's own, waits for
 * no other change: it may be an emergency.
 */
export function refuseUpdate(pool: Pick<Pool, 'id' | 'status'>, patch: PoolPatch): string | undefined {
  if (pool.status === 6) return `the pod pool has already deleted, id: ${pool.id}`
  if (patch.sizes === undefined) return undefined
  if (pool.status === 0 || pool.status === 2) return `pool status is ${pool.status} , not allowed to update`
  return undefined
}

/** What a pool declares after the change. */
export function applyPatch(
  pool: Pick<Pool, 'spec' | 'scalable' | 'draining'>,
  patch: PoolPatch,
): Verdict<
  Pick<PoolSpec, 'size' | 'maxSize' | 'horizontalPodAutoscalerSpec' | 'autoscaling'> & Pick<Pool, 'draining'>
> {
  const { spec } = pool
  const size = patch.sizes?.size ?? spec.size
  const asked = patch.sizes?.maxSize ?? spec.maxSize
  const kept = asked === 0 && size !== 0 ? spec.maxSize : asked
  const maxSize = pool.scalable ? kept : size
  if (maxSize < size) return refused('failed to update pod pool, err: max_size is less than size')
  return {
    ok: true,
    value: {
      size,
      maxSize,
      horizontalPodAutoscalerSpec: patch.horizontalPodAutoscalerSpec || spec.horizontalPodAutoscalerSpec,
      autoscaling: patch.autoscaling === undefined ? spec.autoscaling : patch.autoscaling,
      draining: patch.drain ?? pool.draining,
    },
  }
}

/** How often a page number or size may be written: as Go's strconv.Atoi reads them. */
export type Atoi = { readonly ok: true; readonly value: bigint } | { readonly ok: false; readonly reason: string }

/** Reads an integer of 64 bits; the reason is Go's. */
export function atoi(text: string): Atoi {
  const fail = (why: string) => refused(`strconv.Atoi: parsing ${JSON.stringify(text)}: ${why}`)
  if (!/^[+-]?[0-9]+$/.test(text)) return fail('invalid syntax')
  // BigInt takes time with the square of the length: 64 bits have 19 digits beside leading zeros.
  const digits = text.replace(/^[+-]?0*/, '')
  if (digits.length > 19) return fail('value out of range')
  const value = BigInt(digits || '0') * (text.startsWith('-') ? -1n : 1n)
  return value >= -(2n ** 63n) && value < 2n ** 63n ? { ok: true, value } : fail('value out of range')
}
