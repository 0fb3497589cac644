import { type Causes, duplicate, forbidden, invalid, notFound, notSupported, required } from './field.ts'
import type {
  Container,
  DownwardFile,
  FieldRef,
  KeyToPath,
  Projection,
  ResourceFieldRef,
  Volume,
} from './kube-types.ts'
import { dnsLabelProblems, qualifiedNameProblems } from './names.ts'
import { quantityNano } from './quantity.ts'

/** Volumes of a pod and the mounts of its containers. After the API server's ValidateVolumes and ValidateVolumeMounts. */

const FILE_MODE = 'must be a number between 0 and 0777 (octal), both inclusive'
const HOST_PATH_TYPES = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
]

/** Sources in the order in which the server looks at them; a second one is refused under its own name. */
const SOURCES: readonly string[] = [
  'emptyDir',
  'hostPath',
  'gitRepo',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'secret',
  'nfs',
  'iscsi',
  'glusterfs',
  'flocker',
  'persistentVolumeClaim',
  'rbd',
  'cinder',
  'cephfs',
  'quobyte',
  'downwardAPI',
  'fc',
  'flexVolume',
  'configMap',
  'azureFile',
  'vsphereVolume',
  'photonPersistentDisk',
  'portworxVolume',
  'azureDisk',
  'storageos',
  'projected',
  'scaleIO',
  'csi',
  'ephemeral',
  'image',
]
/** Names that the server misspells when it refuses a second source. */
const SECOND_NAME: Readonly<Record<string, string>> = { cephfs: 'cephFS', downwardAPI: 'downwarAPI' }

function validateMode(mode: number | undefined, path: string, causes: Causes): void {
  if (mode !== undefined && (mode > 0o777 || mode < 0)) causes.push(invalid(path, mode, FILE_MODE))
}

function validateNoBacksteps(target: string, path: string, causes: Causes): void {
  if (target.split('/').includes('..')) causes.push(invalid(path, target, "must not contain '..'"))
}

function validateRelative(target: string, path: string, causes: Causes): void {
  if (target.startsWith('/')) causes.push(invalid(path, target, 'must be a relative path'))
  validateNoBacksteps(target, path, causes)
}

function validateFilePath(target: string, path: string, causes: Causes): void {
  validateRelative(target, path, causes)
  if (target.startsWith('..') && !target.startsWith('../')) {
    causes.push(invalid(path, target, "must not start with '..'"))
  }
}

function validateItem(item: KeyToPath, path: string, causes: Causes): void {
  if (item.key === '') causes.push(required(`${path}.key`))
  if (item.path === '') causes.push(required(`${path}.path`))
  validateFilePath(item.path, `${path}.path`, causes)
  validateMode(item.mode, `${path}.mode`, causes)
}

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

function validateDownwardFile(file: DownwardFile, path: string, causes: Causes): void {
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

function validateProjection(source: Projection, path: string, at: string, seen: Set<string>, causes: Causes): number {
  let sources = 0
  const once = (target: string, value: string) => {
    if (target === '') return
    if (seen.has(target)) causes.push(invalid(path, value, 'conflicting duplicate paths'))
    seen.add(target)
  }
  for (const word of ['secret', 'configMap'] as const) {
    const named = source[word]
    if (named === undefined) continue
    sources++
    if ((named.name ?? '') === '') causes.push(required(`${at}.${word}.name`))
    for (const [index, item] of (named.items ?? []).entries()) {
      validateItem(item, `${at}.${word}.items[${index}]`, causes)
      once(item.path, named.name ?? '')
    }
  }
  if (source.downwardAPI !== undefined) {
    sources++
    for (const file of source.downwardAPI.items ?? []) {
      validateDownwardFile(file, `${at}.downwardAPI`, causes)
      once(file.path, file.path)
    }
  }
  const token = source.serviceAccountToken
  if (token !== undefined) {
    sources++
    const seconds = token.expirationSeconds ?? 3600
    const expiry = `${at}.serviceAccountToken.expirationSeconds`
    if (seconds < 600) causes.push(invalid(expiry, seconds, 'may not specify a duration less than 10 minutes'))
    if (seconds > 2 ** 32) causes.push(invalid(expiry, seconds, 'may not specify a duration larger than 2^32 seconds'))
    if (token.path === '') causes.push(required(`${path}.path`))
    else validateFilePath(token.path, `${path}.path`, causes)
  }
  return sources
}

function validateSource(source: string, volume: Volume, path: string, causes: Causes): void {
  const at = `${path}.${source}`
  switch (source) {
    case 'emptyDir': {
      const limit = volume.emptyDir?.sizeLimit
      if (limit !== undefined && quantityNano(limit) < 0n) {
        causes.push(forbidden(`${at}.sizeLimit`, 'SizeLimit field must be a valid resource quantity'))
      }
      return
    }
    case 'hostPath': {
      const target = volume.hostPath?.path ?? ''
      if (target === '') {
        causes.push(required(`${at}.path`))
        return
      }
      validateNoBacksteps(target, `${at}.path`, causes)
      const type = volume.hostPath?.type
      if (type !== undefined && !HOST_PATH_TYPES.includes(type)) {
        causes.push(notSupported(`${at}.type`, type, HOST_PATH_TYPES))
      }
      return
    }
    case 'secret': {
      if ((volume.secret?.secretName ?? '') === '') causes.push(required(`${at}.secretName`))
      validateMode(volume.secret?.defaultMode, `${at}.defaultMode`, causes)
      for (const [index, item] of (volume.secret?.items ?? []).entries()) {
        validateItem(item, `${at}.items[${index}]`, causes)
      }
      return
    }
    case 'configMap': {
      if ((volume.configMap?.name ?? '') === '') causes.push(required(`${at}.name`))
      validateMode(volume.configMap?.defaultMode, `${at}.defaultMode`, causes)
      for (const [index, item] of (volume.configMap?.items ?? []).entries()) {
        validateItem(item, `${at}.items[${index}]`, causes)
      }
      return
    }
    case 'nfs': {
      const target = volume.nfs?.path ?? ''
      if ((volume.nfs?.server ?? '') === '') causes.push(required(`${at}.server`))
      if (target === '') causes.push(required(`${at}.path`))
      if (!target.startsWith('/')) causes.push(invalid(`${at}.path`, target, 'must be an absolute path'))
      return
    }
    case 'persistentVolumeClaim':
      if ((volume.persistentVolumeClaim?.claimName ?? '') === '') causes.push(required(`${at}.claimName`))
      return
    case 'downwardAPI':
      validateMode(volume.downwardAPI?.defaultMode, `${at}.defaultMode`, causes)
      for (const file of volume.downwardAPI?.items ?? []) validateDownwardFile(file, at, causes)
      return
    case 'csi':
      if ((volume.csi?.driver ?? '') === '') causes.push(required(`${at}.driver`))
      return
    case 'projected': {
      validateMode(volume.projected?.defaultMode, `${at}.defaultMode`, causes)
      const seen = new Set<string>()
      for (const [index, projection] of (volume.projected?.sources ?? []).entries()) {
        const where = `${at}.sources[${index}]`
        if (validateProjection(projection, at, where, seen, causes) > 1) {
          causes.push(forbidden(where, 'may not specify more than 1 volume type'))
        }
      }
      return
    }
  }
}

/** Checks the volumes and returns those that mounts may name. */
export function validateVolumes(volumes: readonly Volume[], path: string, causes: Causes): ReadonlyMap<string, Volume> {
  const usable = new Map<string, Volume>()
  for (const [index, volume] of volumes.entries()) {
    const at = `${path}[${index}]`
    const before = causes.length
    const given = SOURCES.filter((source) => volume[source] !== undefined)
    for (const [position, source] of given.entries()) {
      if (position === 0) validateSource(source, volume, at, causes)
      else {
        causes.push(forbidden(`${at}.${SECOND_NAME[source] ?? source}`, 'may not specify more than 1 volume type'))
      }
    }
    if (given.length === 0) causes.push(required(at, 'must specify a volume type'))
    if (volume.name === '') causes.push(required(`${at}.name`))
    else for (const problem of dnsLabelProblems(volume.name)) causes.push(invalid(`${at}.name`, volume.name, problem))
    if (usable.has(volume.name)) causes.push(duplicate(`${at}.name`, volume.name))
    if (causes.length === before) usable.set(volume.name, volume)
  }
  return usable
}

const PROPAGATIONS = ['Bidirectional', 'HostToContainer', 'None']
const RECURSIVE = ['Disabled', 'Enabled', 'IfPossible']

export function validateMounts(
  container: Container,
  volumes: ReadonlyMap<string, Volume>,
  path: string,
  causes: Causes,
): void {
  const points = new Set<string>()
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const at = `${path}[${index}]`
    if (mount.name === '') causes.push(required(`${at}.name`))
    if (!volumes.has(mount.name)) causes.push(notFound(`${at}.name`, mount.name))
    if (mount.mountPath === '') causes.push(required(`${at}.mountPath`))
    if (points.has(mount.mountPath)) causes.push(invalid(`${at}.mountPath`, mount.mountPath, 'must be unique'))
    points.add(mount.mountPath)
    const devices = container.volumeDevices ?? []
    if (devices.some((device) => device.name === mount.name)) {
      causes.push(invalid(`${at}.name`, mount.name, 'must not already exist in volumeDevices'))
    }
    if (devices.some((device) => device.devicePath === mount.mountPath)) {
      causes.push(invalid(`${at}.mountPath`, mount.mountPath, 'must not already exist as a path in volumeDevices'))
    }
    // From here on the server names the list, not the element.
    if (mount.subPath !== undefined) validateRelative(mount.subPath, `${path}.subPath`, causes)
    if (mount.subPathExpr !== undefined) {
      if (mount.subPath !== undefined) {
        causes.push(invalid(`${at}.subPathExpr`, mount.subPathExpr, 'subPathExpr and subPath are mutually exclusive'))
      }
      validateRelative(mount.subPathExpr, `${path}.subPathExpr`, causes)
    }
    const propagation = mount.mountPropagation
    if (propagation !== undefined) {
      const where = `${path}.mountPropagation`
      if (!PROPAGATIONS.includes(propagation)) causes.push(notSupported(where, propagation, PROPAGATIONS))
      if (propagation === 'Bidirectional' && container.securityContext?.privileged !== true) {
        causes.push(forbidden(where, 'Bidirectional mount propagation is available only to privileged containers'))
      }
    }
    validateRecursive(
      mount.recursiveReadOnly,
      mount.readOnly === true,
      propagation,
      `${path}.recursiveReadOnly`,
      causes,
    )
  }
}

function validateRecursive(
  word: string | undefined,
  readOnly: boolean,
  propagation: string | undefined,
  path: string,
  causes: Causes,
): void {
  if (word === undefined || word === 'Disabled') return
  if (!RECURSIVE.includes(word)) {
    causes.push(notSupported(path, word, RECURSIVE))
    return
  }
  if (!readOnly) causes.push(forbidden(path, 'may only be specified when readOnly is true'))
  if (propagation !== undefined && propagation !== 'None') {
    causes.push(forbidden(path, 'may only be specified when mountPropagation is None or not specified'))
  }
}

export function validateDevices(
  container: Container,
  volumes: ReadonlyMap<string, Volume>,
  path: string,
  causes: Causes,
): void {
  for (const [index, device] of (container.volumeDevices ?? []).entries()) {
    const at = `${path}[${index}]`
    if (device.name === '') causes.push(required(`${at}.name`))
    const volume = volumes.get(device.name)
    if (volume === undefined) causes.push(notFound(`${at}.name`, device.name))
    else if (volume.persistentVolumeClaim === undefined && volume.ephemeral === undefined) {
      causes.push(
        invalid(
          `${at}.name`,
          device.name,
          'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode',
        ),
      )
    }
    if (device.devicePath === '') causes.push(required(`${at}.devicePath`))
  }
}
