import { batchIds, type Claim } from './instance.ts'

/**
 * Who gets which pod, when that is not one row for one claim: shared instances, batches, several pools. Pure; the caller
 * holds the locks.
 */

/** A pod that is ready and nobody's. */
export type FreePod = {
  readonly poolId: number
  readonly seq: number
  readonly podUid: string
  readonly podName: string
  readonly namespace: string
  readonly ip: string
  readonly node: string
  readonly hostIp: string
  readonly cpuMillis: number
  readonly memoryBytes: number
  readonly idleSeconds: number | null
}

/** A pod that serves shared instances. */
export type SharedPod = Omit<FreePod, 'seq'> & {
  readonly cpuMillisUsed: number
  readonly memoryBytesUsed: number
  readonly instances: number
  readonly tenant: string
}

/** A pool that a claim may be served from, in the order of preference. */
export type PoolFacts = {
  readonly id: number
  readonly uid: string
  readonly name: string
  readonly group: string
  readonly status: number
  readonly isDraining: boolean
  readonly size: number
  readonly maxSize: number
  readonly isScalable: boolean
  /** What one pod of it has. */
  readonly cpuMillis: number
  readonly memoryBytes: number
  readonly word: string
  readonly notes: readonly string[]
  /** Waiters in its line. */
  readonly waiting: number
  /** Whether one that may not be overtaken wants a pod of its own, and whether one wants a share. */
  readonly hasExclusiveLine: boolean
  readonly hasSharedLine: boolean
}

/** One instance to be made on one pod. */
export type Binding = {
  readonly claim: Claim
  readonly id: string
  readonly pool: PoolFacts
  readonly pod: FreePod | SharedPod
}

export type Placement = {
  readonly bindings: readonly Binding[]
  /** Ready pods that leave `ready`. */
  readonly taken: readonly FreePod[]
  /** In the order of the request. */
  readonly unplaced: readonly Claim[]
}

export type PlacementInput = {
  readonly claims: readonly Claim[]
  readonly pools: readonly PoolFacts[]
  readonly free: readonly FreePod[]
  readonly shared: readonly SharedPod[]
  /** Whether instances of different tenants are kept apart. */
  readonly tenantAffinity: boolean
  /** The claims wait in line: the first that cannot be served stops those behind it. */
  readonly inOrder: boolean
}

/** Serves the claims in their order, each wholly or not at all. */
export function place(input: PlacementInput): Placement {
  const pools = new Map(input.pools.map((pool) => [pool.id, pool]))
  const free = input.pools.flatMap((pool) => input.free.filter((pod) => pod.poolId === pool.id))
  const room = new Rooms(input)
  const bindings: Binding[] = []
  const taken: FreePod[] = []
  const unplaced: Claim[] = []
  for (const claim of input.claims) {
    if (input.inOrder && unplaced.length > 0) {
      unplaced.push(claim)
      continue
    }
    const pods = claim.policy === 'exclusive' ? free.slice(0, claim.count) : room.seats(claim, free)
    if (pods.length < claim.count) {
      unplaced.push(claim)
      continue
    }
    const ids = batchIds(claim.id, claim.count)
    pods.forEach((pod, i) => {
      bindings.push({ claim, id: ids[i] as string, pool: pools.get(pod.poolId) as PoolFacts, pod })
      if (!('seq' in pod)) return
      const at = free.indexOf(pod)
      if (at >= 0) taken.push(...free.splice(at, 1))
    })
    if (claim.policy === 'shared') room.keep()
  }
  return { bindings, taken, unplaced }
}

type Seat = { readonly pod: FreePod | SharedPod; cpu: number; memory: number; instances: number; tenant: string }

/** What is left on pods that are shared, through the claims of one plan. */
class Rooms {
  readonly #affinity: boolean
  #seats: Seat[]
  #tentative: Seat[] | undefined

  constructor(input: PlacementInput) {
    this.#affinity = input.tenantAffinity
    this.#seats = input.pools
      .filter((pool) => !pool.hasSharedLine)
      .flatMap((pool) => input.shared.filter((pod) => pod.poolId === pool.id))
      .map((pod) => ({
        pod,
        cpu: pod.cpuMillis - pod.cpuMillisUsed,
        memory: pod.memoryBytes - pod.memoryBytesUsed,
        instances: pod.instances,
        tenant: pod.tenant,
      }))
  }

  /** A pod for each instance of the claim, or fewer when there is no room; takes effect with `keep`. */
  seats(claim: Claim, free: readonly FreePod[]): (FreePod | SharedPod)[] {
    const seats = this.#seats.map((seat) => ({ ...seat }))
    const fresh = [...free]
    const pods: (FreePod | SharedPod)[] = []
    while (pods.length < claim.count) {
      const seat = this.#fullest(seats, claim) ?? open(fresh, claim, seats)
      if (seat === undefined) return []
      seat.cpu -= claim.cpuMillis
      seat.memory -= claim.memoryBytes
      seat.instances += 1
      seat.tenant = claim.tenant
      pods.push(seat.pod)
    }
    this.#tentative = seats
    return pods
  }

  keep(): void {
    this.#seats = this.#tentative ?? this.#seats
  }

  #fullest(seats: readonly Seat[], claim: Claim): Seat | undefined {
    let best: Seat | undefined
    for (const seat of seats) {
      if (seat.cpu < claim.cpuMillis || seat.memory < claim.memoryBytes) continue
      if (this.#affinity && !isTenantsOwn(seat, claim.tenant)) continue
      if (best === undefined || isFuller(seat, best)) best = seat
    }
    return best
  }
}

/** Nobody else's: the tenant's, or empty and without a tenant. */
const isTenantsOwn = (seat: Seat, tenant: string) =>
  seat.tenant === tenant || (seat.tenant === '' && seat.instances === 0)

/** Less CPU left, then less memory left, then the name: the order of the index. */
function isFuller(a: Seat, b: Seat): boolean {
  if (a.cpu !== b.cpu) return a.cpu < b.cpu
  if (a.memory !== b.memory) return a.memory < b.memory
  return a.pod.podUid < b.pod.podUid
}

function open(fresh: FreePod[], claim: Claim, seats: Seat[]): Seat | undefined {
  const at = fresh.findIndex((pod) => pod.cpuMillis >= claim.cpuMillis && pod.memoryBytes >= claim.memoryBytes)
  const [pod] = at < 0 ? [] : fresh.splice(at, 1)
  if (pod === undefined) return undefined
  const seat = { pod, cpu: pod.cpuMillis, memory: pod.memoryBytes, instances: 0, tenant: '' }
  seats.push(seat)
  return seat
}
