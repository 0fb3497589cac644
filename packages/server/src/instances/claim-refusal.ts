import type { PoolFacts } from './claim-plan.ts'
import type { Claim, Refusal, Selector } from './instance.ts'

/** Why a claim that found nothing is not put in line; undefined: it may wait. Pure. */
export function refuse(claim: Claim, pools: readonly PoolFacts[], lineLimit: number): Refusal | undefined {
  if (pools.length === 0) return { kind: 'unknown', what: describeSelector(claim.selector) }
  const open = pools.filter(isOpen)
  if (open.length === 0) return { kind: 'closed', reason: whyClosed(pools[0] as PoolFacts) }
  const never = whyNever(claim, open)
  if (never !== undefined) return { kind: 'never', reason: never }
  const least = Math.min(...open.map((pool) => pool.waiting))
  if (claim.timeoutMs > 0 && least >= lineLimit)
    return { kind: 'line full', reason: `the line is full: ${least} requests wait for ${describePools(open)}` }
  return undefined
}

/** Whether it hands out pods at all. */
export const isOpen = (pool: PoolFacts) => pool.status !== 5 && pool.status !== 6 && !pool.isDraining

export function whyClosed(pool: PoolFacts): string {
  if (pool.status === 6) return `the pool ${pool.name} is being deleted`
  if (pool.status === 5) return `the pool ${pool.name} has failed: ${[pool.word, ...pool.notes].join('; ')}`
  return `the pool ${pool.name} is being drained`
}

function whyNever(claim: Claim, open: readonly PoolFacts[]): string | undefined {
  if (claim.policy === 'shared') {
    const perPod = open.map((pool) => sharesOf(claim, pool))
    if (perPod.every((shares) => shares === 0))
      return `no pod of ${describePools(open)} has ${claim.cpuMillis}m cpu and ${claim.memoryBytes} bytes of memory`
    const most = open.reduce((sum, pool, i) => sum + (perPod[i] as number) * pool.maxSize, 0)
    return claim.count > 1 && most < claim.count ? tooMany(claim, open, most) : undefined
  }
  const most = open.reduce((sum, pool) => sum + pool.maxSize, 0)
  return claim.count > 1 && most < claim.count ? tooMany(claim, open, most) : undefined
}

const tooMany = (claim: Claim, open: readonly PoolFacts[], most: number) =>
  `${describePools(open)} can never hold ${claim.count} of these at once: ${most} at most`

/** How many of such instances one pod of the pool takes. */
function sharesOf(claim: Claim, pool: PoolFacts): number {
  const cpu = claim.cpuMillis === 0 ? Number.POSITIVE_INFINITY : Math.floor(pool.cpuMillis / claim.cpuMillis)
  const memory = claim.memoryBytes === 0 ? Number.POSITIVE_INFINITY : Math.floor(pool.memoryBytes / claim.memoryBytes)
  return Math.min(cpu, memory)
}

/** Why nothing came free; `held` counts the pool's pods that run instances. */
export function whyNothing(pools: readonly (PoolFacts & { readonly held: number })[]): string {
  return pools.map(whyNothingIn).join('; ')
}

function whyNothingIn(pool: PoolFacts & { readonly held: number }): string {
  if (!isOpen(pool)) return whyClosed(pool)
  if (pool.notes.length > 0) return `the pool ${pool.name} makes no pods ready: ${pool.notes.join('; ')}`
  if (pool.held >= pool.maxSize)
    return `the pool ${pool.name} is full: ${pool.held} pods are in use, ${pool.maxSize} is the most`
  return `the pool ${pool.name} is scaling: none of its pods is ready, ${pool.held} of ${pool.maxSize} are in use`
}

export function describeSelector(selector: Selector): string {
  if (selector.kind === 'pool') return `the pool ${selector.pool}`
  return selector.kind === 'group'
    ? `a pool of the group ${selector.group}`
    : `a pool with one of the label keys ${selector.keys.join(', ')}`
}

const describePools = (pools: readonly PoolFacts[]) =>
  pools.length === 1
    ? `the pool ${pools[0]?.name}`
    : `the pools ${pools
        .map(({ name }) => name)
        .slice(0, 5)
        .join(', ')}`
