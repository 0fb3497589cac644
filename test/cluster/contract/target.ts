import { Agent, request } from 'undici'
import { createKubeClient, type KubeClient, type KubeConfig } from '../../../packages/server/src/kube/index.ts'
import { startSimulator, zeroDelays } from '../../../packages/simulator/src/index.ts'
import { attachControlPlane } from '../../control-plane/control-plane.ts'
import { until } from './wait.ts'

export type TargetName = 'simulator' | 'kube-apiserver'

/** An answer as it came, whatever its status. */
export type Answer = {
  readonly code: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  /** The body as JSON; undefined where it is none. */
  readonly json: unknown
}

/** A server that the contract is checked on. Both have three nodes, `node-1` to `node-3`, and the RuntimeClass `runc`. */
export type Target = {
  readonly name: TargetName
  readonly config: KubeConfig
  /** Podyard's own client, as a user who may do everything. */
  readonly kube: KubeClient
  /** One request as it is, never repeated: for what the client hides, and for what it never sends. */
  request(method: string, path: string, body?: unknown, contentType?: string): Promise<Answer>
  /** Makes a namespace and waits until pods can be made in it. Names are the same on both targets, so messages are. */
  namespace(name: string, labels?: Readonly<Record<string, string>>): Promise<string>
  /** Forgets all history: versions from before are 410 for watches and continued lists afterwards. */
  forget(): Promise<void>
  /** Everything that `throttled` asks is 429 until the function returned is called. */
  overload(): Promise<() => Promise<void>>
  /** A client of a user whom `overload` means, and nobody else. */
  readonly throttled: KubeClient
  readonly throttledConfig: KubeConfig
  close(): Promise<void>
}

/** A request client for one configuration. */
export function openRequests(config: KubeConfig) {
  const ca = config.caData === undefined ? {} : { connect: { ca: Buffer.from(config.caData, 'base64') } }
  const agent = new Agent({ ...ca, connections: 16 })
  return {
    async send(method: string, path: string, body?: unknown, contentType = 'application/json'): Promise<Answer> {
      const answer = await request(new URL(path, config.server), {
        dispatcher: agent,
        method: method as 'GET',
        headers: {
          accept: 'application/json',
          'user-agent': 'contract',
          ...(config.token === undefined ? {} : { authorization: `Bearer ${config.token}` }),
          ...(body === undefined ? {} : { 'content-type': contentType }),
        },
        body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
        headersTimeout: 60_000,
      })
      const text = await answer.body.text()
      return { code: answer.statusCode, headers: answer.headers, text, json: parsed(text) }
    },
    close: () => agent.close(),
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function common(name: TargetName, config: KubeConfig) {
  const requests = openRequests(config)
  const kube = createKubeClient(config)
  return {
    name,
    config,
    kube,
    request: requests.send,
    async namespace(namespace: string, labels: Readonly<Record<string, string>> = {}) {
      const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } }
      const made = await requests.send('POST', '/api/v1/namespaces', object)
      if (made.code !== 201) throw new Error(`namespace ${namespace}: ${made.code} ${made.text}`)
      await until(`the ServiceAccount of ${namespace}`, async () => {
        const account = await requests.send('GET', `/api/v1/namespaces/${namespace}/serviceaccounts/default`)
        return account.code === 200
      })
      return namespace
    },
    async closeCommon() {
      await kube.close()
      await requests.close()
    },
  }
}

/** The simulated cluster, in this process. */
export async function simulatorTarget(): Promise<Target> {
  const token = 'contract'
  const simulator = await startSimulator({ nodes: 3, delays: zeroDelays, token })
  const config: KubeConfig = { server: simulator.url, namespace: 'default', token }
  const { closeCommon, ...rest } = common('simulator', config)
  const throttled = createKubeClient(config)
  return {
    ...rest,
    async forget() {
      simulator.store.compact()
    },
    async overload() {
      const stop = simulator.faults.inject({ answer: 429 })
      return async () => stop()
    },
    throttled,
    throttledConfig: config,
    async close() {
      await throttled.close()
      await closeCommon()
      await simulator.stop()
    },
  }
}

/** The control plane that the global set-up has brought up. */
export async function controlPlaneTarget(runDir: string): Promise<Target> {
  const plane = await attachControlPlane(runDir)
  const { url: server, caData, token } = plane
  const { closeCommon, ...rest } = common('kube-apiserver', { server, caData, token, namespace: 'default' })
  const throttledConfig = { server, caData, token: plane.user.tokens[0], namespace: 'default' }
  const throttled = createKubeClient(throttledConfig)
  const bound = await plane.api.request('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'contract-throttled' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: plane.user.name }],
  })
  if (bound.status !== 201) throw new Error(bound.text)
  return {
    ...rest,
    async forget() {
      await plane.compact()
      // Its own cache would still serve the versions from before.
      await plane.restartApiServer()
    },
    async overload() {
      await plane.throttleUser(0)
      const release = await plane.occupySeat()
      return async () => {
        release()
        await plane.throttleUser(undefined)
      }
    },
    throttled,
    throttledConfig,
    async close() {
      await plane.api.request('DELETE', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/contract-throttled')
      await throttled.close()
      await closeCommon()
      plane.api.close()
    },
  }
}
