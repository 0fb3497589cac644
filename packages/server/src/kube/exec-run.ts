import { spawn } from 'node:child_process'
import { basename } from 'node:path'
import { type ExecAnswer, readExecAnswer } from './exec-answer.ts'
import type { ExecPlugin } from './exec-plugin.ts'
import { KubeConfigError } from './kube-config-error.ts'

/** Signing in to a cloud takes seconds; a plugin that waits for somebody never ends. */
const defaultTimeoutMs = 60_000
const maxAnswerBytes = 1024 * 1024

/**
 * Runs the plugin once. Its own words (stderr) go nowhere, and neither do its arguments: they may hold secrets.
 *
 * @throws KubeConfigError with the plugin's name, what happened, and the kubeconfig's hint where the program is missing
 */
export async function runExecPlugin(plugin: ExecPlugin, signal: AbortSignal): Promise<ExecAnswer> {
  const name = basename(plugin.command)
  return readExecAnswer(await outputOf(plugin, name, signal), plugin.apiVersion, name)
}

/** KUBERNETES_EXEC_INFO: what a plugin is told. */
export function execInfo({ apiVersion, cluster }: ExecPlugin): string {
  return JSON.stringify({
    kind: 'ExecCredential',
    apiVersion,
    spec: { ...(cluster === undefined ? {} : { cluster }), interactive: false },
  })
}

function outputOf(plugin: ExecPlugin, name: string, signal: AbortSignal): Promise<string> {
  const { timeoutMs = defaultTimeoutMs } = plugin
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    let ended: string | undefined
    const child = start(plugin, name)
    const kill = (why: string) => {
      ended ??= why
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      } catch {
        child.kill('SIGKILL')
      }
      // What it started and what left its session may hold the pipe for ever.
      child.stdout.destroy()
    }
    const timer = setTimeout(() => kill(`did not answer within ${timeoutMs} ms`), timeoutMs)
    const onAbort = () => kill('was stopped')
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    const settle = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > maxAnswerBytes) kill(`printed more than ${maxAnswerBytes} bytes`)
      else chunks.push(chunk)
    })
    child.on('error', (error: NodeJS.ErrnoException) => {
      settle()
      reject(new KubeConfigError(notStarted(plugin, name, error.code)))
    })
    child.on('close', (code, killedBy) => {
      settle()
      if (ended !== undefined) reject(new KubeConfigError(`getting credentials: exec: executable ${name} ${ended}`))
      else if (code === 0) resolve(Buffer.concat(chunks).toString('utf8'))
      else {
        const how = code === null ? `was ended by ${killedBy}` : `failed with exit code ${code}`
        reject(new KubeConfigError(`getting credentials: exec: executable ${name} ${how}; run it by hand to see why`))
      }
    })
  })
}

function start(plugin: ExecPlugin, name: string) {
  try {
    return spawn(plugin.command, plugin.args, {
      env: { ...plugin.environment, KUBERNETES_EXEC_INFO: execInfo(plugin) },
      stdio: ['ignore', 'pipe', 'ignore'],
      // A session of its own: what it started ends with it, and a Ctrl-C in our terminal is not its.
      detached: true,
    })
  } catch (error) {
    // A zero byte in an argument, say; the message quotes it.
    throw new KubeConfigError(notStarted(plugin, name, (error as NodeJS.ErrnoException).code))
  }
}

function notStarted({ installHint }: ExecPlugin, name: string, code: string | undefined): string {
  const what = code === 'ENOENT' ? 'not found' : `cannot be started (${code ?? 'unknown'})`
  const hint = installHint === undefined ? '' : `: ${installHint}`
  return `getting credentials: exec: executable ${name} ${what}${hint}`
}
