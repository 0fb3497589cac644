import { parseImage } from './image-reference.ts'
import type { Container, EnvVar, Handler, PodSpec, PodTemplate, Probe, StringMap, Volume } from './kube-types.ts'
import { decimalQuantity, quantityNano } from './quantity.ts'

/** Defaults of pods and pod templates. After the API server's pkg/apis/core/v1/defaults.go. */

const MILLI = 1_000_000n

/** Amounts are kept to a thousandth, rounded up. */
function roundToMilli(list: StringMap): StringMap {
  const entries = Object.entries(list)
  if (entries.every(([, text]) => quantityNano(text) % MILLI === 0n)) return list
  return Object.fromEntries(
    entries.map(([name, text]) => {
      const nano = quantityNano(text)
      const rest = nano % MILLI
      if (rest === 0n) return [name, text]
      return [name, decimalQuantity(nano - rest + (nano > 0n ? MILLI : 0n))]
    }),
  )
}

function defaultHandler<T extends Handler>(handler: T): T {
  if (handler.httpGet === undefined) return handler
  const { path = '', scheme = '' } = handler.httpGet
  return {
    ...handler,
    httpGet: { ...handler.httpGet, path: path === '' ? '/' : path, scheme: scheme === '' ? 'HTTP' : scheme },
  }
}

function defaultProbe(probe: Probe): Probe {
  return {
    ...defaultHandler(probe),
    timeoutSeconds: probe.timeoutSeconds || 1,
    periodSeconds: probe.periodSeconds || 10,
    successThreshold: probe.successThreshold || 1,
    failureThreshold: probe.failureThreshold || 3,
    ...(probe.grpc === undefined ? {} : { grpc: { ...probe.grpc, service: probe.grpc.service ?? '' } }),
  }
}

function defaultEnv(variable: EnvVar): EnvVar {
  const from = variable.valueFrom
  if (from?.fieldRef === undefined || (from.fieldRef.apiVersion ?? '') !== '') return variable
  return { ...variable, valueFrom: { ...from, fieldRef: { ...from.fieldRef, apiVersion: 'v1' } } }
}

function pullPolicy(image: string): string {
  const parsed = parseImage(image)
  return typeof parsed !== 'string' && parsed.tag === 'latest' ? 'Always' : 'IfNotPresent'
}

function defaultContainer(container: Container): Container {
  const { resources, lifecycle, livenessProbe, readinessProbe, startupProbe } = container
  return {
    ...container,
    ...(container.ports === undefined
      ? {}
      : { ports: container.ports.map((port) => ({ ...port, protocol: port.protocol || 'TCP' })) }),
    ...(container.env === undefined ? {} : { env: container.env.map(defaultEnv) }),
    ...(resources === undefined
      ? {}
      : {
          resources: {
            ...resources,
            ...(resources.limits === undefined ? {} : { limits: roundToMilli(resources.limits) }),
            ...(resources.requests === undefined ? {} : { requests: roundToMilli(resources.requests) }),
          },
        }),
    ...(livenessProbe === undefined ? {} : { livenessProbe: defaultProbe(livenessProbe) }),
    ...(readinessProbe === undefined ? {} : { readinessProbe: defaultProbe(readinessProbe) }),
    ...(startupProbe === undefined ? {} : { startupProbe: defaultProbe(startupProbe) }),
    ...(lifecycle === undefined
      ? {}
      : {
          lifecycle: {
            ...lifecycle,
            ...(lifecycle.postStart === undefined ? {} : { postStart: defaultHandler(lifecycle.postStart) }),
            ...(lifecycle.preStop === undefined ? {} : { preStop: defaultHandler(lifecycle.preStop) }),
          },
        }),
    terminationMessagePath: container.terminationMessagePath || '/dev/termination-log',
    terminationMessagePolicy: container.terminationMessagePolicy || 'File',
    imagePullPolicy: container.imagePullPolicy || pullPolicy(container.image ?? ''),
  }
}

const MODE = 0o644

type Downward = NonNullable<Volume['downwardAPI']>

function defaultDownward<T extends Downward>(downward: T): T {
  if (downward.items === undefined) return downward
  return {
    ...downward,
    items: downward.items.map((item) =>
      item.fieldRef === undefined || (item.fieldRef.apiVersion ?? '') !== ''
        ? item
        : { ...item, fieldRef: { ...item.fieldRef, apiVersion: 'v1' } },
    ),
  }
}

function defaultVolume(volume: Volume): Volume {
  if (Object.keys(volume).length === 1) return { ...volume, emptyDir: {} }
  const { hostPath, secret, configMap, downwardAPI, projected } = volume
  if (hostPath !== undefined) return { ...volume, hostPath: { ...hostPath, type: hostPath.type ?? '' } }
  if (secret !== undefined) return { ...volume, secret: { ...secret, defaultMode: secret.defaultMode ?? MODE } }
  if (configMap !== undefined) {
    return { ...volume, configMap: { ...configMap, defaultMode: configMap.defaultMode ?? MODE } }
  }
  if (downwardAPI !== undefined) {
    const defaulted = defaultDownward(downwardAPI)
    return { ...volume, downwardAPI: { ...defaulted, defaultMode: defaulted.defaultMode ?? MODE } }
  }
  if (projected !== undefined) {
    const sources = (projected.sources ?? []).map((source) => ({
      ...source,
      ...(source.serviceAccountToken === undefined
        ? {}
        : {
            serviceAccountToken: {
              ...source.serviceAccountToken,
              expirationSeconds: source.serviceAccountToken.expirationSeconds ?? 3600,
            },
          }),
      ...(source.downwardAPI === undefined ? {} : { downwardAPI: defaultDownward(source.downwardAPI) }),
    }))
    return { ...volume, projected: { ...projected, sources, defaultMode: projected.defaultMode ?? MODE } }
  }
  return volume
}

/** Defaults that pods and templates share. */
export function defaultPodSpec(spec: PodSpec): PodSpec {
  return {
    ...spec,
    ...(spec.volumes === undefined ? {} : { volumes: spec.volumes.map(defaultVolume) }),
    ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(defaultContainer) }),
    containers: (spec.containers ?? []).map(defaultContainer),
    restartPolicy: spec.restartPolicy || 'Always',
    terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds ?? 30,
    dnsPolicy: spec.dnsPolicy || 'ClusterFirst',
    // The deprecated member shows the same name.
    ...((spec.serviceAccountName ?? spec.serviceAccount) === undefined
      ? {}
      : {
          serviceAccountName: spec.serviceAccountName ?? spec.serviceAccount ?? '',
          serviceAccount: spec.serviceAccountName ?? spec.serviceAccount ?? '',
        }),
    securityContext: spec.securityContext ?? {},
    schedulerName: spec.schedulerName || 'default-scheduler',
    ...(spec.hostNetwork === true ? { hostNetwork: true } : {}),
  }
}

export function defaultTemplate(template: PodTemplate): PodTemplate {
  return { ...template, spec: defaultPodSpec(template.spec) }
}

/** Requests that are not given are the limits: for pods only, templates keep what they say. */
function defaultRequests(container: Container): Container {
  const limits = container.resources?.limits
  if (limits === undefined) return container
  return {
    ...container,
    resources: { ...container.resources, requests: { ...limits, ...container.resources?.requests } },
  }
}

function defaultHostPorts(container: Container): Container {
  if (container.ports === undefined) return container
  return {
    ...container,
    ports: container.ports.map((port) => ({ ...port, hostPort: port.hostPort || port.containerPort })),
  }
}

/** Defaults of a pod itself. */
export function defaultPod(spec: PodSpec): PodSpec {
  const shared = defaultPodSpec(spec)
  const each = (container: Container) => {
    const requested = defaultRequests(container)
    return spec.hostNetwork === true ? defaultHostPorts(requested) : requested
  }
  return {
    ...shared,
    containers: (shared.containers ?? []).map(each),
    ...(shared.initContainers === undefined ? {} : { initContainers: shared.initContainers.map(each) }),
    enableServiceLinks: spec.enableServiceLinks ?? true,
  }
}

const QOS = ['cpu', 'memory'] as const

/** Guaranteed, Burstable or BestEffort, of the requests and limits of all containers. */
export function qosClass(spec: PodSpec): string {
  const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? [])]
  let some = false
  let guaranteed = true
  for (const { resources } of containers) {
    for (const name of QOS) {
      const request = quantityNano(resources?.requests?.[name])
      const limit = quantityNano(resources?.limits?.[name])
      if (request > 0n || limit > 0n) some = true
      if (limit === 0n || request !== limit) guaranteed = false
    }
  }
  if (!some) return 'BestEffort'
  return guaranteed ? 'Guaranteed' : 'Burstable'
}
