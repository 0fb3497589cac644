import { setImmediate as nextTurn } from 'node:timers/promises'
import { sleep } from '../kube/deadline.ts'
import type { PodHolds, PodState } from './pod-holds.ts'

export type PodTellerOptions = {
  readonly holds: Pick<PodHolds, 'tell'>
  /** The pod's state as it is at this moment; undefined when there is nothing to tell about it. */
  readonly stateOf: (uid: string) => PodState | undefined
  /** The state was written. */
  readonly onTold: (state: PodState) => void
  /** True: this can never succeed, and nothing is tried again. */
  readonly onError: (error: unknown) => boolean
  readonly signal: AbortSignal
}

/** `urgent`: the pod must not be had any more. `awaited`: somebody waits for a pod of its pool. */
export type Haste = 'urgent' | 'awaited' | 'none'

/** Gathers pods whose state may have changed, and tells the states of many in one transaction. */
export type PodTeller = {
  /** At once when it has been quiet, else with the next batch, which comes the sooner the greater the haste. */
  add(uid: string, haste?: Haste): void
  /** Something is waiting or under way for this pod. */
  isBusyWith(uid: string): boolean
  /** Resolves when all that was added before is told (or given up because of the signal), whatever is added meanwhile. */
  settled(): Promise<void>
}

/** Somebody who waits until what was added before is told. */
type Settler = {
  /** Of what waited then, what is not told yet. */
  readonly left: Set<string>
  /** The batch of that time, until it has ended. */
  underWay: ReadonlySet<string> | undefined
}

/**
 * Between two batches, so many times as long as the last one took: a burst of pods that become ready is a few transactions,
 * the fewer the more the machine has to do, and a single one waits for nothing.
 */
const rests: Readonly<Record<Haste, { readonly timesTaken: number; readonly mostMs: number }>> = {
  urgent: { timesTaken: 0, mostMs: 0 },
  awaited: { timesTaken: 4, mostMs: 100 },
  none: { timesTaken: 20, mostMs: 300 },
}
const leastRestMs = 10
const hastes: readonly Haste[] = ['none', 'awaited', 'urgent']
/** Pods in one transaction at most. */
const maxBatch = 1_000
const maxWaitMs = 5_000

export function createPodTeller(options: PodTellerOptions): PodTeller {
  const { holds, signal } = options
  const waiting = new Set<string>()
  let underWay: ReadonlySet<string> = new Set()
  const settlers = new Set<Settler>()
  let batchEnd = Promise.withResolvers<void>()
  let running: Promise<void> | undefined
  let failures = 0
  /** The greatest of what has been added since the last batch. */
  let haste: Haste = 'none'
  let hurry: AbortController | undefined

  signal.addEventListener('abort', () => hurry?.abort(), { once: true })
  const pause = (ms: number) => sleep(ms, signal).catch(() => {})

  function takeBatch(): string[] {
    const batch: string[] = []
    for (const uid of waiting) {
      if (batch.length === maxBatch) break
      batch.push(uid)
      waiting.delete(uid)
    }
    return batch
  }

  async function run(): Promise<void> {
    // What one turn of the event loop brings is told together.
    await nextTurn()
    while (waiting.size > 0 && !signal.aborted) {
      const batch = takeBatch()
      underWay = new Set(batch)
      haste = 'none'
      const startedAt = performance.now()
      const states = batch.map(options.stateOf).filter((state) => state !== undefined)
      try {
        await holds.tell(states)
        failures = 0
        for (const settler of settlers) settle(settler, batch)
        for (const state of states) options.onTold(state)
      } catch (error) {
        for (const uid of batch) waiting.add(uid)
        haste = 'urgent'
        for (const settler of settlers)
          if (settler.underWay === underWay) {
            settler.underWay = undefined
            for (const uid of batch) settler.left.add(uid)
          }
        if (signal.aborted || options.onError(error)) return
        await pause(Math.min(maxWaitMs, 50 * 2 ** failures++) * (0.5 + Math.random() / 2))
      } finally {
        underWay = new Set()
        batchEnd.resolve()
        batchEnd = Promise.withResolvers()
      }
      await rest(performance.now() - startedAt)
    }
  }

  async function rest(takenMs: number): Promise<void> {
    const begin = performance.now()
    while (!signal.aborted) {
      const { timesTaken, mostMs } = rests[haste]
      const leftMs = begin + Math.max(leastRestMs, Math.min(mostMs, timesTaken * takenMs)) - performance.now()
      if (leftMs <= 0) return
      hurry = new AbortController()
      await sleep(leftMs, hurry.signal).catch(() => {})
      hurry = undefined
    }
  }

  /** What was under way when it began to wait is told: of that, some may have been added once more. */
  function settle(settler: Settler, batch: readonly string[]): void {
    if (settler.underWay === underWay) settler.underWay = undefined
    else for (const uid of batch) settler.left.delete(uid)
  }

  function start(): Promise<void> {
    running ??= run().finally(() => {
      running = undefined
    })
    return running
  }

  return {
    add(uid, wanted = 'none') {
      waiting.add(uid)
      if (hastes.indexOf(wanted) > hastes.indexOf(haste)) {
        haste = wanted
        hurry?.abort(haste)
      }
      void start()
    },
    isBusyWith: (uid) => waiting.has(uid) || underWay.has(uid),
    async settled() {
      const settler: Settler = { left: new Set(waiting), underWay: underWay.size > 0 ? underWay : undefined }
      settlers.add(settler)
      // Pods come and go without end where much is claimed: a gap between them is not waited for.
      while ((settler.left.size > 0 || settler.underWay !== undefined) && !signal.aborted)
        await Promise.race([start(), batchEnd.promise])
      settlers.delete(settler)
    },
  }
}
