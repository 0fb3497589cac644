import { readFile } from 'node:fs/promises'
import { KubeConfigError } from './kube-config-error.ts'

/** The bearer token to send, kept fresh: a mounted service account token is replaced about once an hour. */
export type TokenSource = {
  /** undefined when the cluster is reached without one. */
  current(): Promise<string | undefined>
  /** After a 401 for `rejected`: reads the file at once. True when there is another token to try. */
  renew(rejected: string | undefined): Promise<boolean>
}

const rereadAfterMs = 60_000

/**
 * @param config.token used as it is, or until the file has been read where there is one
 * @param nowMs a clock that never goes back, in milliseconds
 */
export function createTokenSource(
  config: { readonly token?: string; readonly tokenFile?: string },
  nowMs: () => number,
): TokenSource {
  const { tokenFile } = config
  if (tokenFile === undefined) {
    return { current: async () => config.token, renew: async () => false }
  }
  let token = config.token
  let readAtMs = Number.NEGATIVE_INFINITY
  let reading: Promise<void> | undefined

  async function read(path: string): Promise<void> {
    try {
      const text = (await readFile(path, 'utf8')).trim()
      if (text === '') throw new KubeConfigError(`the token file ${path} is empty`)
      token = text
    } catch (error) {
      // The token that we have may well be good still; the server decides.
      if (token !== undefined) return
      if (error instanceof KubeConfigError) throw error
      const { code } = error as NodeJS.ErrnoException
      throw new KubeConfigError(`the token file ${path} cannot be read: ${code ?? 'unknown'}`)
    } finally {
      readAtMs = nowMs()
    }
  }

  /** Calls that find the token old at the same time share one reading. */
  function readOnce(path: string): Promise<void> {
    reading ??= read(path).finally(() => {
      reading = undefined
    })
    return reading
  }

  return {
    async current() {
      if (token === undefined || nowMs() - readAtMs >= rereadAfterMs) await readOnce(tokenFile)
      return token
    },
    async renew(rejected) {
      // Another call may have read the new one already.
      if (token === rejected) await readOnce(tokenFile)
      return token !== rejected
    },
  }
}
