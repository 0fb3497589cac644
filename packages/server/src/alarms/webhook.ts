import { createHmac } from 'node:crypto'
import { type Backoff, backoffMs } from '../kube/backoff.ts'

/** Messages as Standard Webhooks has them: how they are signed, and when they are tried again. Pure. */

export type WebhookTarget = {
  readonly url: string
  /** `whsec_` and the key in base64. */
  readonly secret: string
}

/**
 * The headers of one try. The receiver takes the signature over id, timestamp and body, and refuses old timestamps.
 *
 * @param seconds Unix time of this try
 */
export function signMessage(
  secret: string,
  id: string,
  seconds: number,
  body: string,
): Readonly<Record<string, string>> {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const signature = createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': String(seconds), 'webhook-signature': `v1,${signature}` }
}

/** Between tries of a message: half of it is fixed. */
export const webhookRetry: Backoff = { baseMs: 1_000, maxMs: 600_000 }

/** A message that is older is given up. */
export const giveUpAfterMs = 24 * 3_600_000

/**
 * Milliseconds until the next try.
 *
 * @param attempts how often it has been tried
 * @param random in [0, 1)
 */
export function retryAfterMs(attempts: number, random: number, retry: Backoff = webhookRetry): number {
  const half = backoffMs(retry, attempts - 1, 1) / 2
  return half + half * random
}
