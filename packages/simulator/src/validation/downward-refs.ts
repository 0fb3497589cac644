import { type Causes, invalid, notSupported, required } from './field.ts'
import type { DownwardFile, FieldRef, ResourceFieldRef } from './kube-types.ts'
import { qualifiedNameProblems } from './names.ts'
import { quantityNano } from './quantity.ts'
import { validateFilePath, validateMode } from './volume-paths.ts'

/** References to a pod's own fields and resources, in the environment and in volumes. */

const ENV_FIELDS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]
const VOLUME_FIELDS = ['metadata.annotations', 'metadata.labels', 'metadata.name', 'metadata.namespace', 'metadata.uid']
const RESOURCE_FIELDS = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
]
/** What the server converts before it looks whether the place may use it. */
const KNOWN_FIELDS = new Set([
  ...ENV_FIELDS,
  ...VOLUME_FIELDS,
  'spec.restartPolicy',
  'spec.schedulerName',
  'status.phase',
])

export function validateFieldRef(ref: FieldRef, use: 'env' | 'volume', path: string, causes: Causes): void {
  if (ref.apiVersion === undefined || ref.apiVersion === '') {
    causes.push(required(`${path}.apiVersion`))
    return
  }
  if (ref.fieldPath === '') {
    causes.push(required(`${path}.fieldPath`))
    return
  }
  const subscripted = /^(.*?)\['(.*)'\]$/.exec(ref.fieldPath)
  const field = subscripted?.[1] ?? ref.fieldPath
  if (ref.apiVersion !== 'v1') {
    const text = `error converting fieldPath: unsupported pod version: ${ref.apiVersion}`
    causes.push(invalid(`${path}.fieldPath`, ref.fieldPath, text))
  } else if (subscripted !== null) {
    const key = subscripted[2] ?? ''
    if (field === 'metadata.annotations') {
      for (const problem of qualifiedNameProblems(key.toLowerCase())) {
        causes.push(invalid(path, key.toLowerCase(), problem))
      }
    } else if (field === 'metadata.labels') {
      for (const problem of qualifiedNameProblems(key)) causes.push(invalid(path, key, problem))
    } else {
      causes.push(
        invalid(
          `${path}.fieldPath`,
          ref.fieldPath,
          `error converting fieldPath: field label does not support subscript: ${ref.fieldPath}`,
        ),
      )
    }
  } else if (!KNOWN_FIELDS.has(field)) {
    const text = `error converting fieldPath: field label not supported: ${ref.fieldPath}`
    causes.push(invalid(`${path}.fieldPath`, ref.fieldPath, text))
  } else if (!(use === 'env' ? ENV_FIELDS : VOLUME_FIELDS).includes(field)) {
    causes.push(notSupported(`${path}.fieldPath`, field, use === 'env' ? ENV_FIELDS : VOLUME_FIELDS))
  }
}

const SIZES = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei']

export function validateResourceFieldRef(ref: ResourceFieldRef, use: 'env' | 'volume', path: string, causes: Causes) {
  if (use === 'volume' && (ref.containerName ?? '') === '') causes.push(required(`${path}.containerName`))
  else if (ref.resource === '') causes.push(required(`${path}.resource`))
  else if (!RESOURCE_FIELDS.includes(ref.resource) && !/^(?:requests|limits)\.hugepages-/.test(ref.resource)) {
    causes.push(notSupported(`${path}.resource`, ref.resource, RESOURCE_FIELDS))
  }
  const divisor = ref.divisor ?? '0'
  if (quantityNano(divisor) === 0n) return
  if (/^(?:limits|requests)\.cpu$/.test(ref.resource)) {
    if (divisor !== '1m' && divisor !== '1') {
      causes.push(
        invalid(`${path}.divisor`, ref.resource, "only divisor's values 1m and 1 are supported with the cpu resource"),
      )
    }
    return
  }
  const sized = /^(?:limits|requests)\.(memory|ephemeral-storage|hugepages-)/.exec(ref.resource)?.[1]
  if (sized === undefined || SIZES.includes(divisor)) return
  const word = sized === 'memory' ? 'memory' : sized === 'hugepages-' ? 'hugepages' : 'local ephemeral storage'
  causes.push(
    invalid(
      `${path}.divisor`,
      ref.resource,
      `only divisor's values ${SIZES.join(', ')} are supported with the ${word} resource`,
    ),
  )
}

export function validateDownwardFile(file: DownwardFile, path: string, causes: Causes): void {
  if (file.path === '') causes.push(required(`${path}.path`))
  validateFilePath(file.path, `${path}.path`, causes)
  if (file.fieldRef !== undefined) {
    validateFieldRef(file.fieldRef, 'volume', `${path}.fieldRef`, causes)
    if (file.resourceFieldRef !== undefined) {
      causes.push(invalid(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'))
    }
  } else if (file.resourceFieldRef !== undefined) {
    validateResourceFieldRef(file.resourceFieldRef, 'volume', `${path}.resourceFieldRef`, causes)
  } else {
    causes.push(required(path, 'one of fieldRef and resourceFieldRef is required'))
  }
  validateMode(file.mode, `${path}.mode`, causes)
}
