import { setTimeout as delay } from 'node:timers/promises'

/**
 * Asks again until the answer suits, and returns it. The limit is a wait's limit, not a measure: it only says when to
 * give up, with the last answer in the error.
 */
export async function until<T>(ask: () => Promise<T> | T, suits: (answer: T) => boolean, limitMs = 60_000): Promise<T> {
  const end = performance.now() + limitMs
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 1.5, 100)) {
    const answer = await ask()
    if (suits(answer)) return answer
    if (performance.now() > end)
      throw new Error(`not in ${limitMs} ms; last: ${JSON.stringify(answer)?.slice(0, 2_000)}`)
    await delay(pauseMs)
  }
}
