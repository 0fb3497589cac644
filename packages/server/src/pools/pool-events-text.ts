import type { PoolEventDraft } from './pool.ts'

const maxNames = 5

/** `pod a`, `pods a, b`, `pods a, b, c, d, e and 7 more`. */
export function say(names: readonly string[]): string {
  const shown = names.slice(0, maxNames).join(', ')
  const more = names.length > maxNames ? ` and ${names.length - maxNames} more` : ''
  return `${names.length === 1 ? 'pod' : 'pods'} ${shown}${more}`
}

const stories: Readonly<Record<string, readonly [PoolEventDraft['type'], string, string]>> = {
  shrunk: ['Normal', 'ScaledDown', 'deleted: more than max_size'],
  unwanted: ['Normal', 'ScaledDown', 'deleted: autoscaling wants fewer'],
  stuck: ['Warning', 'PodFailed', 'deleted: made for a request, and not ready in 5 minutes'],
  drained: ['Normal', 'Drained', 'deleted: the pool is drained'],
  finished: ['Warning', 'PodFailed', 'ended and deleted'],
  ownerless: ['Normal', 'PodsDeleted', 'deleted: their Deployment is gone'],
  orphaned: ['Warning', 'PodsDeleted', 'deleted: marked for an instance that nobody knows'],
  recycled: ['Normal', 'Recycled', 'deleted: idle for too long'],
  tenant: ['Normal', 'Recycled', 'deleted: their tenant does not use them any more'],
}

/** The line of a pool's story for pods that were deleted; undefined where their instances' own story tells it. */
export function deletionStory(reason: string, names: readonly string[]): PoolEventDraft | undefined {
  const [type, word, text] = stories[reason] ?? []
  return type === undefined || word === undefined ? undefined : { type, reason: word, message: `${say(names)} ${text}` }
}
