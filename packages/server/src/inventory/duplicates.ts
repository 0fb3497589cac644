import { type AppError, cmdbErrors, type ErrorDetail } from '../errors.ts'
import type { Queryable, UniqueViolation } from '../store/database.ts'
import { existingPods } from './pod-change-statements.ts'
import { type PodItem, podPath } from './pod-rules.ts'

/** A row of a request with its unique key. */
export type Candidate = {
  readonly path: string
  /** The key's text, as the original's store prints it: ` bk_cluster_id: 1, name: "node1" `. */
  readonly key: string
  /** The members that the look-up of stored rows needs; undefined: only rows of the same request can clash. */
  readonly stored: Readonly<Record<string, unknown>> | undefined
}

/**
 * The 1199014 after a unique index refused a batch. Which items clash is found out now, and only now: the second of two
 * equal ones in the request, and those whose key a stored row has. `lookUp` selects `ord` of the candidates in $1.
 */
export async function duplicateError(
  db: Queryable,
  candidates: readonly Candidate[],
  lookUp: string,
  cause: UniqueViolation,
): Promise<AppError> {
  const clashes = doubles(candidates)
  const stored = candidates.flatMap(({ stored }, ord) => (stored === undefined ? [] : [{ ord, ...stored }]))
  if (stored.length > 0)
    for (const { ord } of await db.query<{ ord: number }>(lookUp, [JSON.stringify(stored)]))
      clashes.set(ord, 'exists already')
  return clashError(candidates, clashes, cause)
}

/** Refuses a batch that names a key twice: with `on_duplicate`, where a stored row is none of the caller's mistakes. */
export function refuseDoubles(candidates: readonly Candidate[]): void {
  const clashes = doubles(candidates)
  if (clashes.size > 0) throw clashError(candidates, clashes)
}

/** The second of two equal keys, by its index, and what to say of it. */
function doubles(candidates: readonly Candidate[]): Map<number, string> {
  const clashes = new Map<number, string>()
  const firstWith = new Map<string, Candidate>()
  candidates.forEach((candidate, ord) => {
    const earlier = firstWith.get(candidate.key)
    if (earlier === undefined) firstWith.set(candidate.key, candidate)
    else clashes.set(ord, `the same as ${earlier.path}`)
  })
  return clashes
}

function clashError(
  candidates: readonly Candidate[],
  clashes: ReadonlyMap<number, string>,
  cause?: UniqueViolation,
): AppError {
  const ords = [...clashes.keys()].sort((a, b) => a - b)
  const details: ErrorDetail[] = ords.map((ord) => ({
    path: (candidates[ord] as Candidate).path,
    message: clashes.get(ord) as string,
  }))
  // A row that clashed and is gone by now leaves nothing to name.
  return cmdbErrors.duplicate(candidates[ords[0] ?? 0]?.key ?? '', details, cause)
}

/** The text of a unique key. */
export function keyText(members: Readonly<Record<string, string | number>>): string {
  return ` ${Object.entries(members)
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}`)
    .join(', ')} `
}

/** Pods by name in their workload. */
export const podCandidates = (items: readonly PodItem[]): Candidate[] =>
  items.map((item) => ({
    path: `${podPath(item.at)}.name`,
    key: keyText({ 'ref.id': item.workloadId, 'ref.kind': item.kind, name: item.pod.name }),
    stored: { id: item.workloadId, kind: item.kind, name: item.pod.name },
  }))

/** Containers by container_uid in one pod. A new pod has no id that anybody knows yet; its place stands for it. */
export const containerCandidates = (items: readonly PodItem[]): Candidate[] =>
  items.flatMap((item) =>
    item.containers.map((container, k) => ({
      key: keyText({ pod: podPath(item.at), container_uid: container.container_uid }),
      path: `${podPath(item.at)}.containers[${k}].container_uid`,
      stored: undefined,
    })),
  )

/** The 1199014 of a batch of pods. */
export function duplicatePods(db: Queryable, items: readonly PodItem[], cause: UniqueViolation): Promise<AppError> {
  return cause.constraint === 'container_uid_key'
    ? duplicateError(db, containerCandidates(items), '', cause)
    : duplicateError(db, podCandidates(items), existingPods.text, cause)
}
