import { setTimeout as delay } from 'node:timers/promises'
import type { PodDiary } from './pod-diary.ts'
import type { Random } from './random.ts'
import type { TableWatch } from './table-watch.ts'

/** Database time in milliseconds between which nobody may have got one of these pods. */
export type Window = { readonly uids: ReadonlySet<string>; readonly closedAt: number; readonly openedAt: number }

export type ClaimWindows = ReturnType<typeof createClaimWindows>

/**
 * When pods cannot be had: from the moment when the tables showed that somebody had taken notice of their end, or of the
 * cordon of their node. Only pods that were offered before are followed: the absence of others says nothing.
 */
export function createClaimWindows(tables: TableWatch, diary: PodDiary) {
  const windows: Window[] = []
  const pending = new Set<Promise<void>>()
  let isCordoned = false

  /** Once a pod that has ended is not offered any more it never is again. */
  function podEnds(uid: string): void {
    // What a cordon took away comes back with it, and the end of the pod may be heard of later than that.
    if (isCordoned || !tables.latest.offered.has(uid)) return
    const closing = tables
      .until(
        () => `the ended pod ${uid} is not offered any more`,
        ({ offered }) => !offered.has(uid),
      )
      .then(({ until: closedAt }) => {
        windows.push({ uids: new Set([uid]), closedAt, openedAt: Number.POSITIVE_INFINITY })
      })
      .finally(() => pending.delete(closing))
    pending.add(closing)
  }

  return {
    podEnds,
    of: (uid: string) => windows.filter(({ uids }) => uids.has(uid)),
    /** Cordons one node after the other for a moment, until the signal aborts. */
    async cordonNodes(random: Random, signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        await delay(500 + random.upTo(1_000))
        const node = random.pick(diary.nodes())
        if (pending.size > 0 || node === undefined) continue
        isCordoned = true
        const uids = new Set(
          [...tables.latest.offered.keys()].filter((uid) => diary.get(uid)?.object.spec?.nodeName === node),
        )
        diary.cordon(node, true)
        const { until: closedAt } = await tables.until(
          () => `pods of the cordoned ${node} are not offered any more`,
          ({ offered }) => ![...uids].some((uid) => offered.has(uid)),
        )
        await delay(random.upTo(100))
        windows.push({ uids, closedAt, openedAt: tables.latest.at })
        diary.cordon(node, false)
        isCordoned = false
      }
    },
    /** Resolves when nothing is waited for. */
    async idle(): Promise<void> {
      while (pending.size > 0) await Promise.all(pending)
    },
  }
}
