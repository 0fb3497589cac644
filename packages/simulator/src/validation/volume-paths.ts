import { type Causes, invalid, required } from './field.ts'
import type { KeyToPath } from './kube-types.ts'

/** Paths and file modes within volumes. */

const FILE_MODE = 'must be a number between 0 and 0777 (octal), both inclusive'
export function validateMode(mode: number | undefined, path: string, causes: Causes): void {
  if (mode !== undefined && (mode > 0o777 || mode < 0)) causes.push(invalid(path, mode, FILE_MODE))
}

export function validateNoBacksteps(target: string, path: string, causes: Causes): void {
  if (target.split('/').includes('..')) causes.push(invalid(path, target, "must not contain '..'"))
}

export function validateRelative(target: string, path: string, causes: Causes): void {
  if (target.startsWith('/')) causes.push(invalid(path, target, 'must be a relative path'))
  validateNoBacksteps(target, path, causes)
}

export function validateFilePath(target: string, path: string, causes: Causes): void {
  validateRelative(target, path, causes)
  if (target.startsWith('..') && !target.startsWith('../')) {
    causes.push(invalid(path, target, "must not start with '..'"))
  }
}

export function validateItem(item: KeyToPath, path: string, causes: Causes): void {
  if (item.key === '') causes.push(required(`${path}.key`))
  if (item.path === '') causes.push(required(`${path}.path`))
  validateFilePath(item.path, `${path}.path`, causes)
  validateMode(item.mode, `${path}.mode`, causes)
}
