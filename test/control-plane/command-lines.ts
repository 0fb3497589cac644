/** Command lines and configuration files of the components. Pure; what each flag is for, and nothing that is a default. */

/** Request limits that the controller manager and the scheduler put on themselves. */
export type Qps = 'raised' | 'default'

export type Layout = {
  readonly runDir: string
  readonly etcdPort: number
  readonly apiPort: number
}

export const etcdUrl = (port: number) => `http://127.0.0.1:${port}`
export const apiUrl = (port: number) => `https://127.0.0.1:${port}`

/** Files of a run folder. */
export const files = (runDir: string) => ({
  certDir: `${runDir}/cert`,
  /** Written by the API server at its first start: self-signed, with its issuer, so it is what clients trust. */
  certificate: `${runDir}/cert/apiserver.crt`,
  accountKey: `${runDir}/service-account.key`,
  accountPublicKey: `${runDir}/service-account.pub`,
  tokens: `${runDir}/tokens.csv`,
  kubeconfig: `${runDir}/kubeconfig`,
  userKubeconfig: `${runDir}/user.kubeconfig`,
  kwokConfig: `${runDir}/kwok.yaml`,
})

/** @param fsync false lets etcd answer before its data is on the disk: fine unless the machine itself may fail */
export function etcdArguments(runDir: string, port: number, fsync: boolean): readonly string[] {
  return [
    '--data-dir',
    `${runDir}/etcd`,
    '--listen-client-urls',
    etcdUrl(port),
    '--advertise-client-urls',
    etcdUrl(port),
    // Alone in its cluster: nobody connects there.
    '--listen-peer-urls',
    'http://127.0.0.1:0',
    '--log-level',
    'warn',
    ...(fsync ? [] : ['--unsafe-no-fsync']),
  ]
}

/** PodSecurity, ResourceQuota, LimitRanger and ServiceAccount are among the admission plugins that are on by default. */
export function apiServerArguments(layout: Layout, more: readonly string[]): readonly string[] {
  const { certDir, accountKey, accountPublicKey, tokens } = files(layout.runDir)
  return [
    '--etcd-servers',
    etcdUrl(layout.etcdPort),
    '--bind-address',
    '127.0.0.1',
    '--secure-port',
    String(layout.apiPort),
    '--cert-dir',
    certDir,
    '--service-cluster-ip-range',
    '10.96.0.0/16',
    '--service-account-issuer',
    'https://kubernetes.default.svc',
    '--service-account-signing-key-file',
    accountKey,
    '--service-account-key-file',
    accountPublicKey,
    '--token-auth-file',
    tokens,
    '--authorization-mode',
    'Node,RBAC',
    '--allow-privileged',
    // Its own address is a loopback one, which no Endpoints object may hold.
    '--endpoint-reconciler-type=none',
    // On SIGTERM it ends its watches instead of waiting for a minute until their clients do.
    '--shutdown-watch-termination-grace-period=5s',
    ...more,
  ]
}

export function controllerManagerArguments(runDir: string, qps: Qps): readonly string[] {
  const { kubeconfig, accountKey, certificate } = files(runDir)
  return [
    '--kubeconfig',
    kubeconfig,
    '--service-account-private-key-file',
    accountKey,
    '--root-ca-file',
    certificate,
    ...alone,
    // 20 and 30 a second by default: a Deployment of 1,000 would take a minute, whoever asks for it.
    ...(qps === 'raised' ? ['--kube-api-qps', '500', '--kube-api-burst', '1000'] : []),
  ]
}

export function schedulerArguments(runDir: string, qps: Qps): readonly string[] {
  return [
    '--kubeconfig',
    files(runDir).kubeconfig,
    ...alone,
    // 50 and 100 a second by default.
    ...(qps === 'raised' ? ['--kube-api-qps', '1000', '--kube-api-burst', '2000'] : []),
  ]
}

/** One of a kind, and asked by nobody. */
const alone: readonly string[] = ['--leader-elect=false', '--bind-address', '127.0.0.1', '--secure-port', '0']

export function kwokArguments(runDir: string): readonly string[] {
  return [
    '--kubeconfig',
    files(runDir).kubeconfig,
    '--config',
    files(runDir).kwokConfig,
    '--manage-all-nodes=true',
    // Addresses of pods; apart from those of services (10.96.0.0/16).
    '--cidr',
    '10.64.0.0/11',
    // For nodes without an address; ours have one each.
    '--node-ip',
    '127.0.0.1',
    '--node-lease-duration-seconds',
    '40',
    '--v',
    'WARN',
  ]
}

/** @param stages Stage objects as YAML documents; without any KWOK refuses to start, as it does at a parallelism of 0 */
export function kwokConfig(stages: string): string {
  return `apiVersion: config.kwok.x-k8s.io/v1alpha1
kind: KwokConfiguration
options:
  podPlayStageParallelism: 32
  nodePlayStageParallelism: 8
  nodeLeaseParallelism: 4
---
${stages}`
}

/** Lines of the API server's token file: token, user, uid, groups. */
export function tokenFile(
  adminToken: string,
  user: { readonly name: string; readonly tokens: readonly string[] },
): string {
  const lines = [
    `${adminToken},admin,admin,system:masters`,
    ...user.tokens.map((token) => `${token},${user.name},${user.name}`),
  ]
  return `${lines.join('\n')}\n`
}

/** A kubeconfig with one context. JSON, which is YAML too. */
export function kubeconfigText(at: { readonly url: string; readonly caData: string; readonly token: string }): string {
  const name = 'podyard-control-plane'
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server: at.url, 'certificate-authority-data': at.caData } }],
    users: [{ name, user: { token: at.token } }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: 'default' } }],
    'current-context': name,
  }
  return `${JSON.stringify(config, null, 2)}\n`
}
