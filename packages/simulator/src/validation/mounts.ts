import { type Causes, forbidden, invalid, notFound, notSupported, required } from './field.ts'
import type { Container, Volume } from './kube-types.ts'
import { validateRelative } from './volume-paths.ts'

/** Where containers mount a pod's volumes. After the API server's ValidateVolumeMounts and ValidateVolumeDevices. */

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
