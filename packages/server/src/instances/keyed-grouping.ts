import type { Waiting } from './grouping.ts'

/**
 * As `createGrouping`, but only items of the same key form a group, and of each key one group is under way at a time: for
 * work that would only wait for its own kind. Keys take turns.
 */
export type KeyedGrouping<I, O> = { add(key: string, item: I): Promise<O> }

export function createKeyedGrouping<I, O>(options: {
  /** One result per item, in their order. */
  readonly run: (items: readonly I[]) => Promise<readonly O[]>
  readonly maxItems: number
  readonly maxInFlight: number
}): KeyedGrouping<I, O> {
  /** Keys with work, the longest waiting first. */
  const queues = new Map<string, Waiting<I, O>[]>()
  const busy = new Set<string>()
  let isScheduled = false

  function start(): void {
    isScheduled = false
    for (const [key, queue] of queues) {
      if (busy.size >= options.maxInFlight) return
      if (busy.has(key)) continue
      queues.delete(key)
      const rest = queue.slice(options.maxItems)
      // Behind the other keys.
      if (rest.length > 0) queues.set(key, rest)
      busy.add(key)
      void run(key, queue.slice(0, options.maxItems))
    }
  }

  async function run(key: string, group: readonly Waiting<I, O>[]): Promise<void> {
    try {
      const results = await options.run(group.map(({ item }) => item))
      group.forEach(({ resolve }, i) => {
        resolve(results[i] as O)
      })
    } catch (error) {
      for (const { reject } of group) reject(error)
    } finally {
      busy.delete(key)
      schedule()
    }
  }

  function schedule(): void {
    if (isScheduled || queues.size === 0) return
    isScheduled = true
    setImmediate(start)
  }

  return {
    add: (key, item) =>
      new Promise((resolve, reject) => {
        const queue = queues.get(key)
        if (queue === undefined) queues.set(key, [{ item, resolve, reject }])
        else queue.push({ item, resolve, reject })
        schedule()
      }),
  }
}
