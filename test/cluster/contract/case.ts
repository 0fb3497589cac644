import type { KubeClient } from '../../../packages/server/src/kube/index.ts'
import type { Target, TargetName } from './target.ts'

/** What a case works with: a target, and a namespace of the case's own. */
export type Bench = Omit<Target, 'namespace' | 'close'> & {
  readonly kube: KubeClient
  /** The case's namespace; made when first asked for. */
  namespace(labels?: Readonly<Record<string, string>>): Promise<string>
  /** Its name, when the case makes the namespace itself, or none. */
  readonly namespaceName: string
  /**
   * Keeps a value for the comparison of both targets: they must be equal but for uids, versions, times and generated
   * suffixes.
   */
  seen(what: string, value: unknown): void
}

/** An operation with what is asserted of it; a row of the table. */
export type Case = {
  /** What is done and what comes of it, a clause without a full stop. */
  readonly title: string
  /** Runs on one target alone, and why; both when absent. */
  readonly only?: { readonly on: TargetName; readonly because: string }
  /** Runs after all others, by itself: it disturbs them. */
  readonly alone?: boolean
  readonly run: (bench: Bench) => Promise<void>
}

/** A heading of the table with its rows. */
export type Area = { readonly title: string; readonly cases: readonly Case[] }
