import { type Causes, forbidden, invalid, notSupported, required } from './field.ts'
import type { Container, Handler, Probe } from './kube-types.ts'
import { httpHeaderNameProblems, portNameProblems, portNumberProblems } from './names.ts'

/** Probes and lifecycle handlers of a container. After the API server's validateProbe and validateHandler. */

function validatePort(port: number | string, path: string, causes: Causes): void {
  const problems = typeof port === 'number' ? portNumberProblems(port) : portNameProblems(port)
  for (const problem of problems) causes.push(invalid(path, port, problem))
}

const HANDLERS = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const

function validateHandler(handler: Handler, grace: number | undefined, path: string, causes: Causes): void {
  const given = HANDLERS.filter((word) => handler[word] !== undefined)
  for (const [index, word] of given.entries()) {
    if (index > 0) causes.push(forbidden(`${path}.${word}`, 'may not specify more than 1 handler type'))
    else validateAction(handler, word, grace, `${path}.${word}`, causes)
  }
  if (given.length === 0) causes.push(required(path, 'must specify a handler type'))
}

function validateAction(
  handler: Handler,
  word: (typeof HANDLERS)[number],
  grace: number | undefined,
  path: string,
  causes: Causes,
): void {
  switch (word) {
    case 'exec':
      if ((handler.exec?.command ?? []).length === 0) causes.push(required(`${path}.command`))
      return
    case 'httpGet': {
      const action = handler.httpGet
      if (action === undefined) return
      if ((action.path ?? '') === '') causes.push(required(`${path}.path`))
      validatePort(action.port, `${path}.port`, causes)
      if (action.scheme !== 'HTTP' && action.scheme !== 'HTTPS') {
        causes.push(notSupported(`${path}.scheme`, action.scheme ?? '', ['HTTP', 'HTTPS']))
      }
      for (const header of action.httpHeaders ?? []) {
        for (const problem of httpHeaderNameProblems(header.name)) {
          causes.push(invalid(`${path}.httpHeaders`, header.name, problem))
        }
      }
      return
    }
    case 'tcpSocket':
      validatePort(handler.tcpSocket?.port ?? 0, `${path}.port`, causes)
      return
    case 'grpc':
      validatePort(handler.grpc?.port ?? 0, `${path}.port`, causes)
      return
    case 'sleep': {
      const seconds = handler.sleep?.seconds ?? 0
      if (grace !== undefined && (seconds < 0 || seconds > grace)) {
        const text = `must be non-negative and less than terminationGracePeriodSeconds (${grace})`
        causes.push(invalid(path, seconds, text))
      }
    }
  }
}

const COUNTS = [
  'initialDelaySeconds',
  'timeoutSeconds',
  'periodSeconds',
  'successThreshold',
  'failureThreshold',
] as const

type ProbeUse = 'liveness' | 'readiness' | 'startup'

function validateProbe(
  probe: Probe | undefined,
  use: ProbeUse,
  grace: number | undefined,
  path: string,
  causes: Causes,
): void {
  if (probe === undefined) return
  validateHandler(probe, grace, path, causes)
  for (const member of COUNTS) {
    const value = probe[member] ?? 0
    if (value < 0) causes.push(invalid(`${path}.${member}`, value, 'must be greater than or equal to 0'))
  }
  const own = probe.terminationGracePeriodSeconds
  if (own !== undefined && own <= 0) {
    causes.push(invalid(`${path}.terminationGracePeriodSeconds`, own, 'must be greater than 0'))
  }
  if (use === 'readiness') {
    if (own !== undefined) {
      causes.push(invalid(`${path}.terminationGracePeriodSeconds`, own, 'must not be set for readinessProbes'))
    }
  } else if (probe.successThreshold !== 1) {
    causes.push(invalid(`${path}.successThreshold`, probe.successThreshold ?? 0, 'must be 1'))
  }
}

export function validateProbes(container: Container, grace: number | undefined, path: string, causes: Causes): void {
  if (container.lifecycle?.postStart !== undefined) {
    validateHandler(container.lifecycle.postStart, grace, `${path}.lifecycle.postStart`, causes)
  }
  if (container.lifecycle?.preStop !== undefined) {
    validateHandler(container.lifecycle.preStop, grace, `${path}.lifecycle.preStop`, causes)
  }
  validateProbe(container.livenessProbe, 'liveness', grace, `${path}.livenessProbe`, causes)
  validateProbe(container.readinessProbe, 'readiness', grace, `${path}.readinessProbe`, causes)
  validateProbe(container.startupProbe, 'startup', grace, `${path}.startupProbe`, causes)
}
