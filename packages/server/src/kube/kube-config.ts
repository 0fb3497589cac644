import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Cluster, User } from '@kubernetes/client-node'
import { type ExecPlugin, readExecPlugin } from './exec-plugin.ts'
import { KubeConfigError } from './kube-config-error.ts'

/**
 * How to reach one cluster, and as whom. Made by `loadKubeConfig` or `loadInClusterConfig`, or written down directly
 * (`{ server, namespace }`, for the embedded simulator); nothing heavy is imported for the latter two.
 */
export type KubeConfig = {
  /** `https://host:6443`; a path (an API server behind a gateway) is kept. */
  readonly server: string
  /** Where namespaced objects go unless somebody says otherwise. The client itself never assumes it. */
  readonly namespace: string
  /** Certificates to trust, PEM or base64 of PEM. The system's own when absent. */
  readonly caData?: string
  /** Client certificate and key, PEM or base64 of PEM. */
  readonly certificateData?: string
  readonly keyData?: string
  readonly token?: string
  /** Read again at most once a minute, and at once after a 401. Wins over `token`, as everywhere in Kubernetes. */
  readonly tokenFile?: string
  /** The program that gives the credentials; asked only when there is neither `token` nor `tokenFile`. */
  readonly exec?: ExecPlugin
  readonly insecureSkipTlsVerify?: boolean
  /** The name in the server's certificate, where it differs from the host. */
  readonly tlsServerName?: string
}

/**
 * Reads a kubeconfig file.
 *
 * @param options.context the context to use; the file's current one when absent
 * @param options.environment what an exec plugin runs with, beside what the file gives it: this process's own environment
 * @throws KubeConfigError for a file that is missing or broken, and for what is not supported: exec plugins that need a
 *   terminal, auth providers, basic authentication, impersonation, proxies
 */
export async function loadKubeConfig(
  path: string,
  options: { readonly context?: string; readonly environment?: Readonly<Record<string, string | undefined>> } = {},
): Promise<KubeConfig> {
  const text = await readText(path, 'the kubeconfig')
  // Here and only here: the import costs 0.6 s and 90 MB.
  const { KubeConfig: Parser, loadYaml } = await import('@kubernetes/client-node')
  const parser = new Parser()
  let raw: unknown
  try {
    raw = loadYaml<unknown>(text)
    parser.loadFromString(text)
  } catch (error) {
    throw new KubeConfigError(`the kubeconfig ${path} is not valid: ${parseProblem(error)}`)
  }
  parser.makePathsAbsolute(dirname(resolve(path)))

  const contextName = options.context ?? parser.currentContext
  if (!contextName) throw new KubeConfigError(`the kubeconfig ${path} has no current-context`)
  const context = parser.getContextObject(contextName)
  if (context === null) throw new KubeConfigError(`the kubeconfig ${path} has no context "${contextName}"`)
  const cluster = parser.getCluster(context.cluster)
  if (cluster === null) throw new KubeConfigError(`the kubeconfig ${path} has no cluster "${context.cluster}"`)
  const user = context.user ? parser.getUser(context.user) : undefined
  if (user === null) throw new KubeConfigError(`the kubeconfig ${path} has no user "${context.user}"`)
  refuseUnsupported(path, cluster, user)

  const caData = cluster.caData ?? (await readOptional(cluster.caFile, 'the certificate authority'))
  const certificateData = user?.certData ?? (await readOptional(user?.certFile, 'the client certificate'))
  const keyData = user?.keyData ?? (await readOptional(user?.keyFile, 'the client key'))
  // The parser drops the member `tokenFile` (it reads one named `token-file`, which nobody writes), and checks no `exec`.
  const written = user ? rawMember(raw, 'user', user.name) : {}
  const tokenFile = typeof written.tokenFile === 'string' && written.tokenFile !== '' ? written.tokenFile : undefined
  const exec =
    user && written.exec
      ? readExecPlugin(written.exec, {
          path,
          user: user.name,
          cluster: rawMember(raw, 'cluster', cluster.name),
          caData: caData?.includes('-----BEGIN') ? Buffer.from(caData).toString('base64') : caData,
          environment: options.environment ?? {},
        })
      : undefined
  return {
    server: cluster.server,
    namespace: context.namespace ?? 'default',
    ...(caData ? { caData } : {}),
    ...(certificateData ? { certificateData } : {}),
    ...(keyData ? { keyData } : {}),
    ...(user?.token ? { token: user.token } : {}),
    ...(tokenFile ? { tokenFile: resolve(dirname(resolve(path)), tokenFile) } : {}),
    ...(exec ? { exec } : {}),
    ...(cluster.skipTLSVerify ? { insecureSkipTlsVerify: true } : {}),
    ...(cluster.tlsServerName ? { tlsServerName: cluster.tlsServerName } : {}),
  }
}

/**
 * The credentials that Kubernetes mounts into a pod.
 *
 * @param at.host, at.port the values of KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT
 * @param at.directory where the service account is mounted; another folder in tests only
 */
export async function loadInClusterConfig(at: {
  readonly host: string
  readonly port: string
  readonly directory?: string
}): Promise<KubeConfig> {
  const directory = at.directory ?? '/var/run/secrets/kubernetes.io/serviceaccount'
  const tokenFile = join(directory, 'token')
  await readText(tokenFile, "the service account's token")
  const namespace = await readText(join(directory, 'namespace'), "the service account's namespace")
  return {
    server: `https://${at.host.includes(':') ? `[${at.host}]` : at.host}:${at.port}`,
    namespace: namespace.trim() || 'default',
    caData: await readText(join(directory, 'ca.crt'), "the cluster's certificate authority"),
    tokenFile,
  }
}

function refuseUnsupported(path: string, cluster: Cluster, user: User | undefined): void {
  const refuse = (who: string, what: string, instead: string) => {
    throw new KubeConfigError(`${who} of the kubeconfig ${path} uses ${what}, which is not supported: ${instead}`)
  }
  const credentials = 'give a token, a tokenFile, a client certificate or an exec plugin'
  if (cluster.proxyUrl) {
    refuse(`cluster "${cluster.name}"`, 'a proxy (proxy-url)', 'give an address that can be reached directly')
  }
  if (user === undefined) return
  const who = `user "${user.name}"`
  if (user.authProvider) refuse(who, 'an auth provider', credentials)
  if (user.username || user.password) refuse(who, 'basic authentication', credentials)
  // Left out in silence we would act with the rights of the one who impersonates.
  if (user.impersonateUser) refuse(who, 'impersonation (as)', credentials)
}

/** The member `user` or `cluster` of the entry of that name, as it stands in the file. */
function rawMember(raw: unknown, what: 'user' | 'cluster', name: string): Readonly<Record<string, unknown>> {
  type Entry = { readonly name?: unknown; readonly user?: unknown; readonly cluster?: unknown }
  const entries = (raw as Readonly<Record<string, readonly Entry[] | undefined>>)[`${what}s`] ?? []
  const member = entries.find((each) => each.name === name)?.[what]
  return typeof member === 'object' && member !== null ? (member as Readonly<Record<string, unknown>>) : {}
}

async function readOptional(path: string | undefined, what: string): Promise<string | undefined> {
  return path ? await readText(path, what) : undefined
}

async function readText(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new KubeConfigError(`${what} ${path} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`)
  }
}

/** Only the reason and the place: the YAML parser's message quotes the lines around, which hold tokens and keys. */
function parseProblem(error: unknown): string {
  const { name, reason, mark, message } = error as {
    name?: string
    reason?: string
    mark?: { line?: number }
    message?: string
  }
  if (name === 'YAMLException') return `${reason ?? 'broken YAML'}${mark ? ` (line ${(mark.line ?? 0) + 1})` : ''}`
  return /^(clusters|users|contexts)\[\d+\]\.[\w.]+ is missing$/.test(message ?? '') ? `${message}` : 'not a kubeconfig'
}
