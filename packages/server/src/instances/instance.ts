/**
 * Instances: what a claim asks for, what it gets, and what can come of it. Pure.
 *
 * CPU is in thousandths of a core, memory in bytes, waits and timeouts in milliseconds, leases in seconds.
 */

/** Where an instance may run. Label keys are in the order of preference. */
export type Selector =
  | { readonly kind: 'pool'; readonly pool: string }
  | { readonly kind: 'group'; readonly group: string }
  | { readonly kind: 'labels'; readonly keys: readonly string[] }

/** One claim, checked and complete. */
export type Claim = {
  /** Id of the instance to be; of the first one of a batch. */
  readonly id: string
  /** Whether the caller chose it: then it may be taken. */
  readonly isChosen: boolean
  readonly requestId: string | null
  /** SHA-256 over the body in hex; '' without a request id. */
  readonly bodyHash: string
  readonly selector: Selector
  readonly policy: 'exclusive' | 'shared'
  /** What a shared instance takes; 0 for an exclusive one. */
  readonly cpuMillis: number
  readonly memoryBytes: number
  /** Instances that are made, all or none. */
  readonly count: number
  /** Whether `count` was given: then the answer is a list, and nothing waits unless a timeout was given, too. */
  readonly isBatch: boolean
  readonly labels: Readonly<Record<string, string>> | null
  readonly tenant: string
  readonly priority: number
  /** 0: none. */
  readonly leaseSeconds: number
  /** How long to wait in line; 0: not at all. */
  readonly timeoutMs: number
  /** Claim anew what is lost with its pod. */
  readonly replaceLost?: true
}

export const instanceStates = ['running', 'released', 'expired', 'lost'] as const
export type InstanceState = (typeof instanceStates)[number]

/** An instance, alive or past. */
export type Instance = {
  readonly id: string
  /** The number by which events name it. */
  readonly no: number
  readonly requestId: string | null
  readonly poolId: number
  readonly poolUid: string
  readonly pool: string
  readonly group: string
  readonly state: InstanceState
  readonly policy: 'exclusive' | 'shared'
  readonly cpuMillis: number
  readonly memoryBytes: number
  readonly labels: Readonly<Record<string, string>> | null
  readonly tenant: string
  readonly priority: number
  readonly leaseSeconds: number
  /** Unix time in milliseconds; null: no lease. */
  readonly expiresAtMs: number | null
  readonly podUid: string
  readonly podName: string
  readonly namespace: string
  readonly ip: string
  readonly node: string
  readonly hostIp: string
  /** Ids of the inventory; 0 when it did not know the pod. */
  readonly bkBizId: number
  readonly bkPodId: number
  readonly bkHostId: number
  readonly waitedMs: number
  /** A pod was ready when the claim came: it did not go through the line. */
  readonly isWarm: boolean
  readonly createdAtMs: number
  /** null while it runs. */
  readonly endedAtMs: number | null
  /** Why it ended; '' while it runs. */
  readonly reason: string
  /** The containers of its pod, where they were looked up. */
  readonly containers?: readonly InstanceContainer[]
}

export type InstanceContainer = {
  readonly bk_container_id: number
  readonly container_uid: string
  readonly name: string
}

/** Why a claim got nothing; each has a status and a code of its own on the wire. */
export type Refusal =
  /** No such pool, or no pool of that group or with any of those label keys. */
  | { readonly kind: 'unknown'; readonly what: string }
  /** The id belongs to another instance. */
  | { readonly kind: 'taken' }
  /** The request id came with another body before. */
  | { readonly kind: 'other body' }
  /** Can never be served. */
  | { readonly kind: 'never'; readonly reason: string }
  /** The pool failed, is being deleted or drained. */
  | { readonly kind: 'closed'; readonly reason: string }
  /** The line is as long as it may be. */
  | { readonly kind: 'line full'; readonly reason: string }
  /** Nothing came free in time. */
  | { readonly kind: 'timeout'; readonly reason: string }
  /** This process stops. */
  | { readonly kind: 'stopping' }
  /** The client is not there any more. */
  | { readonly kind: 'left' }

export type ClaimOutcome =
  /** `isRepeat`: its request id was answered before; these are its instances as they are now. */
  | { readonly kind: 'bound'; readonly instances: readonly Instance[]; readonly isRepeat: boolean }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/** The ids of a batch: the first one's, then the same with -2, -3, ... So all of them are known with the first. */
export function batchIds(first: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => (i === 0 ? first : `${first}-${i + 1}`))
}

/** As `instanceIdPattern` says. */
const maxInstanceIdLength = 128

/**
 * The id of the instance that takes the place of a lost one: the same with `:2`, then `:3`, ... undefined where that is too
 * long for an id.
 */
export function replacementId(id: string): string | undefined {
  const [, base = id, number = '1'] = /^(.+):([1-9]\d{0,8})$/.exec(id) ?? []
  const next = `${base}:${Number(number) + 1}`
  return next.length <= maxInstanceIdLength ? next : undefined
}

/** How often a lease should be kept alive: at half its time. 0: there is none. */
export const keepaliveMs = (leaseSeconds: number) => leaseSeconds * 500

/** The key by which claims that may be served together are grouped. */
export function selectorKey(selector: Selector): string {
  if (selector.kind === 'pool') return `pool ${selector.pool}`
  return selector.kind === 'group' ? `group ${selector.group}` : `labels ${selector.keys.join(' ')}`
}
