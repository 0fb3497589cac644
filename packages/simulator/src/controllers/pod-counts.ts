import type { LabelSelector, Pod } from '../validation/kube-types.ts'
import { matchesSelector } from '../validation/selector.ts'

/** Beyond this many questions the answers are forgotten and counted anew when asked again. */
const MOST_QUESTIONS = 2000

export type CountQuestion = {
  readonly selector: LabelSelector | undefined
  /** Namespaces to look in; undefined for all. */
  readonly namespaces: readonly string[] | undefined
  /** Whether pods that are being deleted count. */
  readonly terminating: boolean
}

type Answer = { readonly question: CountQuestion; readonly perNode: Map<string, number> }

/**
 * How many pods that match a selector run on each node. Affinity and spreading ask this for every pod that they place;
 * each question is counted once and then kept up to date, so that placing n pods does not cost n squared.
 */
export class PodCounts {
  readonly #pods = new Map<string, Pod>()
  readonly #answers = new Map<string, Answer>()

  set(pod: Pod, present: boolean): void {
    const before = this.#pods.get(pod.metadata.uid)
    const after = present && (pod.spec.nodeName ?? '') !== '' ? pod : undefined
    if (before === undefined && after === undefined) return
    if (after === undefined) this.#pods.delete(pod.metadata.uid)
    else this.#pods.set(pod.metadata.uid, after)
    for (const answer of this.#answers.values()) {
      if (before !== undefined) count(answer, before, -1)
      if (after !== undefined) count(answer, after, 1)
    }
  }

  perNode(question: CountQuestion): ReadonlyMap<string, number> {
    const key = JSON.stringify([question.selector, question.namespaces, question.terminating])
    const known = this.#answers.get(key)
    if (known !== undefined) return known.perNode
    if (this.#answers.size >= MOST_QUESTIONS) this.#answers.clear()
    const answer = { question, perNode: new Map<string, number>() }
    for (const pod of this.#pods.values()) count(answer, pod, 1)
    this.#answers.set(key, answer)
    return answer.perNode
  }
}

function count({ question, perNode }: Answer, pod: Pod, change: 1 | -1): void {
  const { namespaces, selector, terminating } = question
  if (namespaces !== undefined && !namespaces.includes(pod.metadata.namespace ?? '')) return
  if (!terminating && pod.metadata.deletionTimestamp !== undefined) return
  if (!matchesSelector(selector, pod.metadata.labels)) return
  const node = pod.spec.nodeName ?? ''
  const next = (perNode.get(node) ?? 0) + change
  if (next === 0) perNode.delete(node)
  else perNode.set(node, next)
}
