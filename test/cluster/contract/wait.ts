import { setTimeout as delay } from 'node:timers/promises'

/** Half a minute is how long controllers of a real cluster may pause after a failure; the rest is for a slow machine. */
const defaultLimitMs = 120_000

/** Asks until the answer is true; fails with `what`, and what `shown` says by then, after the limit. */
export async function until(
  what: string,
  ask: () => Promise<boolean> | boolean,
  options: { readonly limitMs?: number; readonly shown?: () => unknown } = {},
): Promise<void> {
  const { limitMs = defaultLimitMs, shown } = options
  const end = performance.now() + limitMs
  for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 1.5, 250)) {
    if (await ask()) return
    if (performance.now() > end) {
      const last = shown === undefined ? '' : `; last seen: ${JSON.stringify(shown())}`
      throw new Error(`not within ${limitMs / 1000} s: ${what}${last}`)
    }
    await delay(pauseMs)
  }
}

/** Reads until the condition holds, and gives what was read then. */
export async function eventually<T>(
  what: string,
  read: () => Promise<T>,
  holds: (value: T) => boolean,
  limitMs = defaultLimitMs,
): Promise<T> {
  let last: T | undefined
  await until(
    what,
    async () => {
      last = await read()
      return holds(last)
    },
    { limitMs, shown: () => last },
  )
  return last as T
}
