import type { ExecAnswer } from './exec-answer.ts'
import type { ExecPlugin } from './exec-plugin.ts'
import { runExecPlugin } from './exec-run.ts'
import { createTokenSource } from './token-source.ts'

/** What we show the API server at one time. Two that are the same object are the same credential. */
export type Credential = {
  readonly token?: string | undefined
  /** PEM; a client certificate that an exec plugin gave. */
  readonly certificateData?: string
  readonly keyData?: string
}

/** The credential to show, kept fresh. */
export type CredentialSource = {
  current(): Promise<Credential>
  /** After a 401 for `rejected`: asks anew. True when there is another one to try. */
  renew(rejected: Credential): Promise<boolean>
  /** Ends a plugin that runs. */
  close(): void
}

export type CredentialSettings = {
  readonly token?: string
  readonly tokenFile?: string
  readonly exec?: ExecPlugin
}

export type CredentialParts = {
  /** A clock that never goes back, in milliseconds. */
  readonly nowMs: () => number
  /** The time of day, in milliseconds since the epoch: what an expirationTimestamp is compared with. */
  readonly timeMs: () => number
  readonly run?: (plugin: ExecPlugin, signal: AbortSignal) => Promise<ExecAnswer>
}

/** A token that is written down wins over a plugin, as in client-go. */
export function createCredentialSource(config: CredentialSettings, parts: CredentialParts): CredentialSource {
  const { exec, token, tokenFile } = config
  if (exec !== undefined && token === undefined && tokenFile === undefined) return createExecSource(exec, parts)
  const tokens = createTokenSource(config, parts.nowMs)
  let held: Credential | undefined
  return {
    async current() {
      const found = await tokens.current()
      if (held === undefined || held.token !== found) held = { token: found }
      return held
    },
    renew: (rejected) => tokens.renew(rejected.token),
    close: () => {},
  }
}

/** At most this long before its end a credential is replaced: a tenth of a short one's life. */
const refreshBeforeEndMs = 60_000
/** After a failure the plugin is left alone for this long: each call would start it again. */
const leaveAloneMs = 1_000
/** The same while the credential that we have still lasts, and after a new one was refused at once. */
const noHurryMs = 10_000

function createExecSource(
  plugin: ExecPlugin,
  { nowMs, timeMs, run = runExecPlugin }: CredentialParts,
): CredentialSource {
  const stop = new AbortController()
  let held: { readonly credential: Credential; readonly refreshAtMs: number; readonly endsAtMs: number } | undefined
  let running: Promise<void> | undefined
  let failure: { readonly error: unknown; readonly atMs: number } | undefined
  let renewedAtMs = Number.NEGATIVE_INFINITY

  async function ask(): Promise<void> {
    try {
      const { expiresAtMs, ...credential } = await run(plugin, stop.signal)
      const lastsMs = expiresAtMs === undefined ? Number.POSITIVE_INFINITY : expiresAtMs - timeMs()
      const endsAtMs = nowMs() + lastsMs
      // One that has ended already is used once, for the server to judge: its clock may differ from ours.
      const marginMs = Math.min(refreshBeforeEndMs, Math.max(0, lastsMs / 10))
      held = { credential, endsAtMs, refreshAtMs: endsAtMs - marginMs }
      failure = undefined
    } catch (error) {
      failure = { error, atMs: nowMs() }
    }
  }

  /** Calls that need it at the same time share one run. */
  function askOnce(): Promise<void> {
    running ??= ask().finally(() => {
      running = undefined
    })
    return running
  }

  return {
    async current() {
      const now = nowMs()
      if (held !== undefined && now < held.refreshAtMs) return held.credential
      const usable = held !== undefined && now < held.endsAtMs
      const waited = failure === undefined ? Number.POSITIVE_INFINITY : now - failure.atMs
      if (waited >= (usable ? noHurryMs : leaveAloneMs)) await askOnce()
      if (failure === undefined && held !== undefined) return held.credential
      // The plugin failed, and what we have is good for a while still.
      if (held !== undefined && nowMs() < held.endsAtMs) return held.credential
      throw failure?.error
    },
    async renew(rejected) {
      if (held !== undefined && held.credential !== rejected) return true
      if (nowMs() - renewedAtMs < noHurryMs) return false
      renewedAtMs = nowMs()
      await askOnce()
      // The refusal tells the caller more than the plugin's failure, which the next call meets.
      return failure === undefined && held?.credential !== rejected
    },
    close: () => stop.abort(),
  }
}
