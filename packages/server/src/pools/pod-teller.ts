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

/** Gathers pods whose state may have changed, and tells the states of many in one transaction. */
export type PodTeller = {
  /** Soon: at once when it has been quiet, else with the next batch. */
  add(uid: string): void
  /** Something is waiting or under way for this pod. */
  isBusyWith(uid: string): boolean
  /** Resolves when all that was added before is told (or given up because of the signal). */
  settled(): Promise<void>
}

/** Between two batches: a burst of pods that become ready is a few transactions, a single one waits for nothing. */
const restMs = 10
/** Pods in one transaction at most. */
const maxBatch = 1_000
const maxWaitMs = 5_000

export function createPodTeller(options: PodTellerOptions): PodTeller {
  const { holds, signal } = options
  const waiting = new Set<string>()
  let underWay: ReadonlySet<string> = new Set()
  let running: Promise<void> | undefined
  let failures = 0

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
      const states = batch.map(options.stateOf).filter((state) => state !== undefined)
      try {
        await holds.tell(states)
        failures = 0
        for (const state of states) options.onTold(state)
      } catch (error) {
        for (const uid of batch) waiting.add(uid)
        if (signal.aborted || options.onError(error)) return
        await pause(Math.min(maxWaitMs, 50 * 2 ** failures++) * (0.5 + Math.random() / 2))
      } finally {
        underWay = new Set()
      }
      await pause(restMs)
    }
  }

  function start(): Promise<void> {
    running ??= run().finally(() => {
      running = undefined
    })
    return running
  }

  return {
    add(uid) {
      waiting.add(uid)
      void start()
    },
    isBusyWith: (uid) => waiting.has(uid) || underWay.has(uid),
    async settled() {
      while ((waiting.size > 0 || running !== undefined) && !signal.aborted) await start()
    },
  }
}
