import { hash } from 'node:crypto'
import type { V1Pod } from '@kubernetes/client-node'
import type { Change } from '../kube/index.ts'
import { type PodReading, readPod } from './mapping.ts'

/** A pod that is to be written or removed. */
export type WaitingPod =
  | { readonly kind: 'gone' }
  /** What it says is not at hand: it has to be read from the cluster. */
  | { readonly kind: 'unread'; readonly namespace: string; readonly name: string }
  | {
      readonly kind: 'read'
      readonly namespace: string
      readonly name: string
      readonly node: string
      /** A `PodReading` as JSON: a third of the objects' size, and nothing for the garbage collector to walk through. */
      readonly text: string
      readonly print: string
    }

/**
 * The pods whose state the inventory does not have yet. Of each pod that it does have, it keeps a digest of what was
 * written, since most of what a cluster tells of its pods changes nothing that the inventory keeps. The pods' content is
 * kept while it waits, up to a bound; what is beyond is read again when its turn comes.
 */
export type PodBacklog = {
  /** How many wait. */
  readonly size: number
  /** Takes in what a reflector tells. False: nothing that the inventory keeps has changed. */
  tell(change: Change<V1Pod>): boolean
  /**
   * Takes in the content of a pod that waits to be read; no effect on others, of which something newer may be known. False:
   * nothing was taken in, or there is no room for it.
   */
  fill(pod: V1Pod): boolean
  /** Oldest first. The current one may be taken out. */
  waiting(): Iterable<readonly [uid: string, pod: WaitingPod]>
  /** Out of the backlog, to be written: what is told of it from here on waits anew. */
  take(uid: string): void
  /** It could not be written: it waits again, unless something newer does. */
  putBack(uid: string, pod: WaitingPod): void
  /** It was written as it was taken out, and is there as this. */
  written(uid: string, print: string): void
  /** It was removed, or there was nothing to remove. */
  removed(uid: string): void
  /** The pod is known to be in the cluster. */
  has(uid: string): boolean
  /** It was written, and nothing newer waits. */
  isWritten(uid: string): boolean
  /** What is stored under this uid is not as it was written: write it anew. False: it waits already, or has nothing to be written. */
  redo(uid: string, at: { readonly namespace: string; readonly name: string }): boolean
  /** Nobody has told of this pod: it has to go. */
  drop(uid: string): void
  /** What was written may not be stored any more: every pod is to be read and written again. */
  forgetWritten(): void
}

/** Of texts that wait: some 50,000 pods of the plain kind. */
const defaultMaxTextBytes = 96 * 2 ** 20

/** The digest of a pod that is not stored because it has no node yet. */
const withoutNode = ''

/** @param maxTextBytes how much content may wait; a character counts as one */
export function createPodBacklog(maxTextBytes = defaultMaxTextBytes): PodBacklog {
  const waiting = new Map<string, WaitingPod>()
  /** Digest of each pod that is stored and does not wait, by uid. */
  const prints = new Map<string, string>()
  let textBytes = 0

  function set(uid: string, pod: WaitingPod): void {
    textBytes += sizeOf(pod) - sizeOf(waiting.get(uid))
    waiting.set(uid, pod)
  }

  function remove(uid: string): void {
    textBytes -= sizeOf(waiting.get(uid))
    waiting.delete(uid)
  }

  function put(uid: string, pod: V1Pod): boolean {
    const reading = readPod(pod)
    if (reading === undefined) {
      if (waiting.get(uid)?.kind === 'unread') remove(uid)
      if (!waiting.has(uid)) prints.set(uid, withoutNode)
      return false
    }
    const { namespace, name, node_name: node } = reading
    const text = JSON.stringify(reading)
    const print = hash('md5', text, 'base64')
    if (prints.get(uid) === print) {
      // It may have changed and changed back.
      remove(uid)
      return false
    }
    const isTooMuch = textBytes + text.length - sizeOf(waiting.get(uid)) > maxTextBytes
    set(uid, isTooMuch ? { kind: 'unread', namespace, name } : { kind: 'read', namespace, name, node, text, print })
    return true
  }

  return {
    get size() {
      return waiting.size
    },
    tell({ before, after }) {
      const uid = (after ?? before)?.metadata?.uid
      if (uid === undefined) return false
      if (after !== undefined) return put(uid, after)
      set(uid, { kind: 'gone' })
      return true
    },
    fill(pod) {
      const uid = pod.metadata?.uid
      if (uid === undefined || waiting.get(uid)?.kind !== 'unread') return false
      put(uid, pod)
      return waiting.get(uid)?.kind !== 'unread'
    },
    waiting: () => waiting.entries(),
    take(uid) {
      remove(uid)
      prints.delete(uid)
    },
    putBack(uid, pod) {
      if (!waiting.has(uid)) set(uid, pod)
    },
    written(uid, print) {
      // What was told meanwhile is compared with what is written now.
      const next = waiting.get(uid)
      if (next?.kind === 'read' && next.print === print) remove(uid)
      prints.set(uid, print)
    },
    removed(uid) {
      remove(uid)
      prints.delete(uid)
    },
    has(uid) {
      const pod = waiting.get(uid)
      return pod === undefined ? prints.has(uid) : pod.kind !== 'gone'
    },
    isWritten: (uid) => prints.has(uid) && !waiting.has(uid),
    redo(uid, { namespace, name }) {
      if (waiting.has(uid) || prints.get(uid) === withoutNode) return false
      prints.delete(uid)
      set(uid, { kind: 'unread', namespace, name })
      return true
    },
    drop: (uid) => set(uid, { kind: 'gone' }),
    forgetWritten() {
      for (const [uid, print] of prints) if (print !== withoutNode) prints.delete(uid)
    },
  }
}

function sizeOf(pod: WaitingPod | undefined): number {
  return pod?.kind === 'read' ? pod.text.length : 0
}

export function readingOf(uid: string, pod: Extract<WaitingPod, { kind: 'read' }>): PodReading {
  // The key's text rather than a copy of it: it will be kept for as long as the pod lives.
  return { ...(JSON.parse(pod.text) as PodReading), uid }
}
