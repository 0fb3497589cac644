import { setTimeout as delay } from 'node:timers/promises'
import { Agent, request } from 'undici'
import type { Backoff } from '../kube/backoff.ts'
import type { Database } from '../store/database.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { giveUpAfterMs, retryAfterMs, signMessage, type WebhookTarget, webhookRetry } from './webhook.ts'
import { countMessages, dueMessages, type Message, removeMessage, retryMessage } from './webhook-store.ts'

export type WebhookSenderDeps = {
  readonly db: Database
  readonly target: WebhookTarget
  readonly logger: Logger
  readonly metrics: Metrics
  readonly tuning?: Partial<WebhookTuning>
}

export type WebhookTuning = {
  /** Milliseconds between two looks into the outbox. */
  readonly everyMs: number
  /** Milliseconds that one try may take, from the connection to the end of the answer. */
  readonly timeoutMs: number
  readonly retry: Backoff
  readonly giveUpAfterMs: number
}

const defaultTuning: WebhookTuning = { everyMs: 1_000, timeoutMs: 10_000, retry: webhookRetry, giveUpAfterMs }

/** Tries at the same time. */
const concurrency = 4
/** Read of an answer at most: only its status counts. */
const maxAnswerBytes = 65_536

/**
 * Delivers what waits in the outbox, at least once each. A try that ends in anything but 2xx is repeated with growing
 * waits, until the message is a day old. Redirects are not followed: the address is what the operator wrote.
 */
export function createWebhookSender(deps: WebhookSenderDeps) {
  const { db, target, logger } = deps
  const tuning = { ...defaultTuning, ...deps.tuning }
  const tries = deps.metrics.counter('podyard_alarm_webhook_tries_total', 'Messages to the webhook, tried', ['outcome'])
  const givenUp = deps.metrics.counter(
    'podyard_alarm_webhook_given_up_total',
    'Messages that could not be delivered for a day, or for which there was no room',
  )
  const waiting = deps.metrics.gauge('podyard_alarm_webhook_waiting', 'Messages that wait to be delivered')

  /** Sends all whose time has come, and comes back when each was tried. */
  async function flush(agent: Agent, signal: AbortSignal): Promise<void> {
    for (;;) {
      const messages = await dueMessages(db, concurrency)
      if (messages.length === 0 || signal.aborted) break
      await Promise.all(messages.map((message) => deliver(agent, message, signal)))
    }
    waiting.set(await countMessages(db))
  }

  async function deliver(agent: Agent, message: Message, signal: AbortSignal): Promise<void> {
    const problem = await post(agent, message, signal)
    if (signal.aborted && problem !== undefined) return
    tries.inc({ outcome: problem === undefined ? 'delivered' : 'failed' })
    if (problem === undefined) return removeMessage(db, message.id)
    const about = { message: message.message_id, attempts: message.attempts + 1, problem }
    if (message.age_ms >= tuning.giveUpAfterMs) {
      givenUp.inc()
      logger.error(about, 'a message to the alarm webhook was given up')
      return removeMessage(db, message.id)
    }
    const waitMs = retryAfterMs(message.attempts + 1, Math.random(), tuning.retry)
    logger.warn({ ...about, waitMs: Math.round(waitMs) }, 'the alarm webhook did not take a message; trying again')
    await retryMessage(db, message.id, waitMs)
  }

  /** Undefined: delivered. Else what went wrong, without the address, which may be a secret itself. */
  async function post(agent: Agent, { message_id: id, body }: Message, stop: AbortSignal): Promise<string | undefined> {
    const signal = AbortSignal.any([stop, AbortSignal.timeout(tuning.timeoutMs)])
    try {
      const answer = await request(target.url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'user-agent': 'podyard',
          ...signMessage(target.secret, id, Math.floor(Date.now() / 1000), body),
        },
        body,
        dispatcher: agent,
        signal,
      })
      await answer.body.dump({ limit: maxAnswerBytes, signal })
      return answer.statusCode >= 200 && answer.statusCode < 300 ? undefined : `status ${answer.statusCode}`
    } catch (error) {
      if (signal.aborted && !stop.aborted) return `no answer in ${tuning.timeoutMs / 1000} s`
      return (error as { code?: string }).code ?? (error as Error).name
    }
  }

  /** Delivers until the signal aborts; what is under way then is sent again by whoever delivers next. */
  async function run(signal: AbortSignal): Promise<void> {
    const agent = new Agent({ connections: concurrency, connect: { timeout: tuning.timeoutMs } })
    try {
      while (!signal.aborted) {
        await flush(agent, signal).catch((error: unknown) => {
          if (!signal.aborted) logger.warn({ err: error }, 'the outbox of the alarm webhook could not be read')
        })
        await delay(tuning.everyMs, undefined, { signal }).catch(() => {})
      }
    } finally {
      waiting.reset()
      await agent.destroy()
    }
  }

  return { run }
}
