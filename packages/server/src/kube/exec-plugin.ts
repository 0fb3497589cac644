import { dirname, isAbsolute, resolve, sep } from 'node:path'
import { KubeConfigError } from './kube-config-error.ts'

/** A program that gives us the credentials of a kubeconfig's user (client-go's credential plugins). */
export type ExecPlugin = {
  readonly apiVersion: ExecApiVersion
  /** A path, or a name that is looked for along the PATH. */
  readonly command: string
  readonly args: readonly string[]
  /** The whole environment that it runs with: ours and what the kubeconfig adds. */
  readonly environment: Readonly<Record<string, string>>
  /** What the kubeconfig says to somebody who does not have the program, in one line. */
  readonly installHint: string | undefined
  /** `spec.cluster` of what it is told, where the kubeconfig wants it told. */
  readonly cluster: object | undefined
  /** Milliseconds until it must have answered. Default 60,000. */
  readonly timeoutMs?: number
}

const execApiVersions = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'] as const
export type ExecApiVersion = (typeof execApiVersions)[number]

type Members = Readonly<Record<string, unknown>>

/**
 * Reads the member `exec` of a kubeconfig's user.
 *
 * @param from.cluster the member `cluster` of the kubeconfig's cluster, as it stands there
 * @param from.caData what that cluster trusts, base64, wherever it was read from
 * @throws KubeConfigError for what is missing, and for a plugin that needs a terminal
 */
export function readExecPlugin(
  exec: unknown,
  from: {
    readonly path: string
    readonly user: string
    readonly cluster: Members
    readonly caData: string | undefined
    readonly environment: Readonly<Record<string, string | undefined>>
  },
): ExecPlugin {
  const where = `the exec plugin of user "${from.user}" of the kubeconfig ${from.path}`
  const members = membersOf(exec)
  const apiVersion = execApiVersions.find((known) => known === members.apiVersion)
  if (apiVersion === undefined) {
    throw new KubeConfigError(`${where} needs apiVersion ${execApiVersions.join(' or ')}`)
  }
  const { command, args = [], env = [], interactiveMode, installHint, provideClusterInfo } = members
  if (typeof command !== 'string' || command === '') throw new KubeConfigError(`${where} has no command`)
  if (args !== null && !isListOf(args, (arg) => typeof arg === 'string')) {
    throw new KubeConfigError(`${where} has args that are not a list of strings`)
  }
  if (env !== null && !isListOf(env, isVariable)) {
    throw new KubeConfigError(`${where} has an env that is not a list of names and values`)
  }
  // v1beta1 had no such member at first: there IfAvailable is the default, v1 wants the word.
  if (interactiveMode === undefined && apiVersion === 'client.authentication.k8s.io/v1') {
    throw new KubeConfigError(`${where} has no interactiveMode, which ${apiVersion} requires`)
  }
  if (interactiveMode === 'Always') {
    throw new KubeConfigError(`${where} needs a terminal (interactiveMode: Always), and there is none here`)
  }
  if (interactiveMode !== undefined && interactiveMode !== 'Never' && interactiveMode !== 'IfAvailable') {
    throw new KubeConfigError(`${where} has an interactiveMode that is not Never, IfAvailable or Always`)
  }
  const folder = dirname(resolve(from.path))
  return {
    apiVersion,
    // As in client-go: a path starts at the kubeconfig's folder, a bare name is looked for along the PATH.
    command: command.includes(sep) && !isAbsolute(command) ? resolve(folder, command) : command,
    args: (args ?? []) as readonly string[],
    environment: withVariables(from.environment, (env ?? []) as readonly Variable[]),
    installHint: typeof installHint === 'string' && installHint.trim() !== '' ? oneLine(installHint) : undefined,
    cluster: provideClusterInfo === true ? clusterInfo(from.cluster, from.caData) : undefined,
  }
}

type Variable = { readonly name: string; readonly value: string }

function isVariable(value: unknown): value is Variable {
  const { name, value: text } = membersOf(value)
  return typeof name === 'string' && name !== '' && typeof text === 'string'
}

function isListOf(value: unknown, is: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(is)
}

function withVariables(
  ours: Readonly<Record<string, string | undefined>>,
  theirs: readonly Variable[],
): Readonly<Record<string, string>> {
  const all = [...Object.entries(ours), ...theirs.map(({ name, value }) => [name, value] as const)]
  return Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== undefined))
}

/** The cluster in the form of ExecCredential's `spec.cluster`. */
function clusterInfo(cluster: Members, caData: string | undefined): object {
  const extensions = Array.isArray(cluster.extensions) ? cluster.extensions : []
  const own = extensions.map(membersOf).find(({ name }) => name === 'client.authentication.k8s.io/exec')
  return {
    server: cluster.server,
    ...(cluster['tls-server-name'] ? { 'tls-server-name': cluster['tls-server-name'] } : {}),
    ...(cluster['insecure-skip-tls-verify'] === true ? { 'insecure-skip-tls-verify': true } : {}),
    ...(caData === undefined ? {} : { 'certificate-authority-data': caData }),
    ...(cluster['disable-compression'] === true ? { 'disable-compression': true } : {}),
    // client-go writes the member even when there is nothing in it.
    config: own?.extension ?? null,
  }
}

/** A hint is often a paragraph. */
function oneLine(text: string): string {
  return text.trim().replaceAll(/\s+/g, ' ').slice(0, 500)
}

function membersOf(value: unknown): Members {
  return typeof value === 'object' && value !== null ? (value as Members) : {}
}
