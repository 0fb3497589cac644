import { validateDownwardFile } from './downward-refs.ts'
import { type Causes, duplicate, forbidden, invalid, notSupported, required } from './field.ts'
import type { Projection, Volume } from './kube-types.ts'
import { dnsLabelProblems } from './names.ts'
import { quantityNano } from './quantity.ts'
import { validateFilePath, validateItem, validateMode, validateNoBacksteps } from './volume-paths.ts'

/** Volumes of a pod. After the API server's ValidateVolumes. */

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
