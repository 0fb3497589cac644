import { createSecureContext, type SecureContext } from 'node:tls'
import { Pool } from 'undici'
import type { Credential } from './credential-source.ts'
import type { KubeConfig } from './kube-config.ts'
import { KubeConfigError } from './kube-config-error.ts'

/** The connections to one API server, made with one client certificate. */
export type Connections = { readonly calls: Pool; readonly watches: Pool }

export type ConnectionSource = {
  readonly origin: string
  /** What stands before each path: the path of the server's address. */
  readonly prefix: string
  /** The connections for a credential; those of an older certificate are left to end as their answers do. */
  for(credential: Credential): Connections
  /** Breaks the watches, waits for the calls that run, refuses new ones. */
  close(): Promise<void>
}

const connectTimeoutMs = 10_000
/** A page of 500 pods is about 5 MB; nothing that we ask for comes near this. */
const maxAnswerBytes = 256 * 1024 * 1024

/**
 * HTTP/1.1 with kept connections: undici's pool answers four to six times as many calls a second as the client library
 * that connects anew for each. Watches get a pool of their own without a bound, so that each has its own connection: on
 * a shared HTTP/2 one the server closed a watch as too slow during a burst of writes, after 132 of 1,000 events.
 *
 * @param maxCalls connections for calls
 */
export function createConnections(config: KubeConfig, maxCalls: number): ConnectionSource {
  const { origin, prefix } = splitServer(config.server)
  const secure = origin.startsWith('https:')
  // A broken certificate that is written down shows here, before anything is sent.
  const written = secure ? secureContextOf(config) : undefined
  let certificate: string | undefined
  let current = connect(written)
  const left: Connections[] = []
  let closing: Promise<unknown> | undefined

  function connect(secureContext: SecureContext | undefined): Connections {
    const base = {
      allowH2: false,
      // Below the 60 s after which load balancers drop idle connections, and the 90 s of kube-apiserver.
      keepAliveTimeout: 30_000,
      connect: {
        timeout: connectTimeoutMs,
        rejectUnauthorized: config.insecureSkipTlsVerify !== true,
        ...(secureContext ? { secureContext } : {}),
        ...(config.tlsServerName ? { servername: config.tlsServerName } : {}),
      },
    }
    return {
      calls: new Pool(origin, { ...base, connections: maxCalls, maxResponseSize: maxAnswerBytes }),
      watches: new Pool(origin, { ...base, connections: null }),
    }
  }

  function leave(old: Connections): void {
    left.push(old)
    void Promise.all([old.calls.close(), old.watches.close()]).then(() => {
      left.splice(left.indexOf(old), 1)
    })
  }

  return {
    origin,
    prefix,
    for({ certificateData, keyData }) {
      // What is written down wins over what a plugin gives, as in client-go.
      const wanted = config.certificateData === undefined ? certificateData : undefined
      if (wanted === certificate || !secure || closing !== undefined) return current
      const made = connect(
        wanted === undefined || keyData === undefined
          ? written
          : secureContextOf({ ...config, certificateData: wanted, keyData }),
      )
      leave(current)
      certificate = wanted
      current = made
      return current
    },
    async close() {
      closing ??= Promise.all([
        current.watches.destroy(),
        current.calls.close(),
        // Those are closing already: only what holds them up is broken.
        ...left.map(({ watches }) => watches.destroy()),
      ])
      await closing
    },
  }
}

function splitServer(server: string): { readonly origin: string; readonly prefix: string } {
  if (!URL.canParse(server)) throw new KubeConfigError(`the server address of the cluster is not a URL`)
  const url = new URL(server)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new KubeConfigError(`the server address of the cluster must begin with https:// or http://`)
  }
  // They would show in every message.
  if (url.username !== '' || url.password !== '') {
    throw new KubeConfigError('the server address of the cluster must not hold credentials')
  }
  return { origin: url.origin, prefix: url.pathname.replace(/\/+$/, '') }
}

/** Made once: parsing the certificates for each connection costs more than the rest of the handshake's set-up. */
function secureContextOf(config: KubeConfig): SecureContext {
  const { caData, certificateData, keyData } = config
  try {
    return createSecureContext({
      ...(caData ? { ca: pem(caData) } : {}),
      ...(certificateData ? { cert: pem(certificateData) } : {}),
      ...(keyData ? { key: pem(keyData) } : {}),
    })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new KubeConfigError(`the certificates or the key for the cluster cannot be used: ${code ?? 'unknown'}`)
  }
}

function pem(data: string): string {
  return data.includes('-----BEGIN') ? data : Buffer.from(data, 'base64').toString('utf8')
}
