import { randomUUIDv7 } from 'node:crypto'
import { readClaim } from '../../src/instances/claim-body.ts'
import { batchIds, type ClaimOutcome, type Instance } from '../../src/instances/instance.ts'
import type { PodDiary } from './pod-diary.ts'
import type { Random } from './random.ts'
import { askOnce, type ReplicaPair } from './replica-pair.ts'

/** A pool as a random sequence knows it. */
export type StoryPool = {
  readonly name: string
  readonly group: string
  readonly id: number
  readonly uid: string
}

type TryState = 'waiting' | 'bound' | 'refused' | 'left' | 'unknown'

/** A client's claim, with all its tries: what the client knows of it. */
export type Asked = {
  readonly body: Readonly<Record<string, unknown>>
  readonly client: AbortController
  /** By the id that the try would give its (first) instance. Unknown: its replica was killed before it answered. */
  readonly tries: Map<string, TryState>
  /** As they were answered first. */
  instances: readonly Instance[]
  settled: Promise<unknown>
}

export const countOf = (asked: Asked) => Number(asked.body.count ?? 1)

export function outcomeOf(asked: Asked): TryState {
  const states = [...asked.tries.values()]
  return (['bound', 'waiting'] as const).find((state) => states.includes(state)) ?? states.at(-1) ?? 'waiting'
}

/** Refusals that a client of a pool may see that is shrunk, drained and killed. */
const expected = new Set(['timeout', 'closed', 'never'])

export type ClaimStory = ReturnType<typeof createClaimStory>

/** Claims and releases of clients, and what is wrong with the answers that they get. */
export function createClaimStory(random: Random, replicas: ReplicaPair, diary: PodDiary) {
  const asked: Asked[] = []
  const problems: string[] = []
  /** Instances that were released, or whose lease ran out. */
  const over = new Map<string, 'released' | 'expired'>()

  async function tryOnce(claim: Asked): Promise<void> {
    const id = typeof claim.body.id === 'string' ? claim.body.id : randomUUIDv7()
    claim.tries.set(id, 'waiting')
    const { signal } = claim.client
    const answer = await askOnce(replicas.any(random), ({ instances }) =>
      instances.claim(
        readClaim(claim.body, () => id),
        { isGone: () => signal.aborted, signal: () => signal },
      ),
    ).catch((error: unknown) => {
      problems.push(`${JSON.stringify(claim.body)} failed: ${error instanceof Error ? error.stack : error}`)
      return undefined
    })
    claim.tries.set(id, answer === undefined ? 'unknown' : note(claim, answer.value))
  }

  function note(claim: Asked, outcome: ClaimOutcome): TryState {
    const body = JSON.stringify(claim.body)
    if (outcome.kind === 'refused') {
      const { refusal } = outcome
      if (refusal.kind === 'left') return 'left'
      if (!expected.has(refusal.kind)) problems.push(`${body} was refused: ${JSON.stringify(refusal)}`)
      return 'refused'
    }
    const { instances } = outcome
    const told = (all: readonly Instance[]) => all.map(({ id, podUid }) => `${id} on ${podUid}`).join()
    if (instances.length !== countOf(claim)) problems.push(`${body} got ${told(instances)}`)
    if (claim.instances.length === 0) {
      claim.instances = instances
      for (const { id, podUid, poolUid } of instances) {
        const pod = diary.get(podUid)
        if (pod?.hasBeenReady !== true) problems.push(`${id} got a pod that was never ready: ${podUid}`)
        if (pod !== undefined && pod.poolUid !== poolUid) problems.push(`${id} got a pod of another pool: ${podUid}`)
      }
    } else if (told(instances) !== told(claim.instances))
      problems.push(`${body} was answered twice: ${told(claim.instances)} and ${told(instances)}`)
    return 'bound'
  }

  async function release(ids: readonly string[]): Promise<void> {
    for (const id of ids) over.set(id, over.get(id) ?? 'released')
    await Promise.all(
      ids.map(async (id) => {
        // Twice at once is once.
        if (random.chance(0.2))
          askOnce(replicas.any(random), (replica) => replica.instances.release(id)).catch((error: unknown) =>
            problems.push(`${id} could not be released: ${error}`),
          )
        const ended = await replicas.insist(random, (replica) => replica.instances.release(id))
        if (ended === undefined) problems.push(`${id} was answered, and is not known at its release`)
        else if (ended.state === 'running') problems.push(`${id} runs after its release`)
      }),
    )
  }

  /** Whose instance this id is. */
  const ownerOf = (id: string) =>
    asked.find((claim) => [...claim.tries.keys()].some((first) => batchIds(first, countOf(claim)).includes(id)))
  const bound = () => asked.filter((claim) => outcomeOf(claim) === 'bound')
  const alive = () => bound().flatMap((claim) => claim.instances.filter(({ id }) => !over.has(id)))

  return {
    asked,
    problems,
    over,
    release,
    waiting: () => asked.filter((claim) => outcomeOf(claim) === 'waiting'),
    /** Bound, and neither released nor expired. */
    alive,
    ask(pool: StoryPool): void {
      const kind = random.upTo(10)
      const requestId = random.chance(0.5) ? { request_id: randomUUIDv7() } : {}
      const claim: Asked = {
        client: new AbortController(),
        tries: new Map(),
        instances: [],
        settled: Promise.resolve(),
        body: {
          ...(kind === 0 ? { group: pool.group } : { pool: pool.name }),
          ...(kind === 1 || kind === 2
            ? { schedule_policy: 'shared', resources: { requests: { cpu: '300m', memory: '64Mi' } } }
            : {}),
          ...(kind === 3 ? { count: 2 } : {}),
          ...requestId,
          ...(kind !== 3 && random.chance(0.1) ? { id: `chosen-${randomUUIDv7()}` } : {}),
          ...(random.chance(0.2) ? { labels: { color: 'red' } } : {}),
          ...(random.chance(0.2) ? { priority: random.upTo(3) } : {}),
          ...(random.chance(0.2) ? { lease_seconds: 3_600 } : {}),
          timeout_ms: random.chance(0.3) ? random.upTo(40) : 60_000,
        },
      }
      asked.push(claim)
      const tries = 'request_id' in claim.body && claim.body.id === undefined && random.chance(0.15) ? 2 : 1
      claim.settled = Promise.all(Array.from({ length: tries }, () => tryOnce(claim)))
    },
    /** Repeats a claim by its request id: one that was answered, or one whose answer was lost. */
    repeat(claim: Asked): void {
      const before = claim.settled
      claim.settled = Promise.all([before, tryOnce(claim)])
    },
    repeatable: (outcome: TryState) =>
      asked.filter(
        (claim) => outcomeOf(claim) === outcome && claim.body.request_id !== undefined && !claim.client.signal.aborted,
      ),
    ownerOf,
    /** Whether a client may have an instance of this id: it was answered, or the answer may have been lost. */
    mayHold(id: string): boolean {
      const owner = ownerOf(id)
      if (owner === undefined) return false
      // What a client left behind can be found by its request id, or by the id that it chose.
      const isKept = outcomeOf(owner) === 'left' && (owner.body.request_id !== undefined || owner.body.id !== undefined)
      return isKept || over.has(id) || outcomeOf(owner) === 'bound' || [...owner.tries.values()].includes('unknown')
    },
    /** Instances that were made with a lease, and live. */
    leased: () => alive().filter(({ leaseSeconds }) => leaseSeconds > 0),
  }
}
