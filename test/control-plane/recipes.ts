/** How each binary is built, and what its build depends on. Pure. */
import { createHash } from 'node:crypto'
import type { Component } from './processes.ts'

/** What can be built: the components, and the client. */
export type BinaryName = Component | 'kubectl'

/** A Go module in `modules/` that pins what it builds in its go.mod and go.sum. */
export type ModuleName = 'kubernetes' | 'etcd' | 'kwok'

type Recipe = {
  readonly module: ModuleName
  readonly package: string
  /** With an empty Go build cache, on two cores; only to say how long it may take. */
  readonly coldSeconds: number
}

/** The most needed first. */
export const recipes: Readonly<Record<BinaryName, Recipe>> = {
  etcd: { module: 'etcd', package: 'go.etcd.io/etcd/server/v3', coldSeconds: 51 },
  'kube-apiserver': { module: 'kubernetes', package: 'k8s.io/kubernetes/cmd/kube-apiserver', coldSeconds: 248 },
  'kube-controller-manager': {
    module: 'kubernetes',
    package: 'k8s.io/kubernetes/cmd/kube-controller-manager',
    coldSeconds: 110,
  },
  'kube-scheduler': { module: 'kubernetes', package: 'k8s.io/kubernetes/cmd/kube-scheduler', coldSeconds: 6 },
  kwok: { module: 'kwok', package: 'sigs.k8s.io/kwok/cmd/kwok', coldSeconds: 162 },
  kubectl: { module: 'kubernetes', package: 'k8s.io/kubernetes/cmd/kubectl', coldSeconds: 74 },
}

export const binaryNames = Object.keys(recipes) as readonly BinaryName[]

/** The module that each of ours exists for; its version is written in go.mod and nowhere else. */
const pinned: Readonly<Record<ModuleName, string>> = {
  kubernetes: 'k8s.io/kubernetes',
  etcd: 'go.etcd.io/etcd/server/v3',
  kwok: 'sigs.k8s.io/kwok',
}

/** The version that go.mod requires of the module's reason to exist, such as `v1.36.3`. */
export function pinnedVersion(module: ModuleName, goMod: string): string {
  const path = pinned[module].replaceAll('.', '\\.')
  const version = new RegExp(`^(?:require )?\\s*${path} (v\\S+)$`, 'm').exec(goMod)?.[1]
  if (version === undefined) throw new Error(`modules/${module}/go.mod does not require ${pinned[module]}`)
  return version
}

/** Version of Go that go.mod asks for, such as `1.26.0`. */
export function goVersionOf(goMod: string): string {
  const version = /^go (\S+)$/m.exec(goMod)?.[1]
  if (version === undefined) throw new Error('a go.mod without a go line')
  return version
}

/**
 * What is given to the linker. Without the version a Kubernetes binary built outside its repository calls itself
 * v0.0.0-master, and KWOK has none.
 */
export function linkerFlags(module: ModuleName, version: string): string {
  const strip = '-s -w'
  switch (module) {
    case 'etcd':
      return strip
    case 'kwok':
      return `${strip} -X sigs.k8s.io/kwok/pkg/consts.Version=${version}`
    case 'kubernetes': {
      const [major, minor] = version.slice(1).split('.')
      const set = (name: string, value: string | undefined) => `-X k8s.io/component-base/version.${name}=${value}`
      return [strip, set('gitVersion', version), set('gitMajor', major), set('gitMinor', minor)].join(' ')
    }
  }
}

/** Arguments of `go` that build the binary into `output`. */
export function buildArguments(name: BinaryName, version: string, output: string): readonly string[] {
  const { module, package: path } = recipes[name]
  return ['build', '-trimpath', '-buildvcs=false', '-ldflags', linkerFlags(module, version), '-o', output, path]
}

/** Name of the cache's folder for what a module builds: another one as soon as anything that goes into a build differs. */
export function cacheKey(module: ModuleName, goMod: string, goSum: string, platform: string): string {
  const version = pinnedVersion(module, goMod)
  const hash = createHash('sha256')
  for (const part of [goMod, goSum, linkerFlags(module, version), platform]) hash.update(`${part.length} ${part}`)
  return `${module}-${version}-${hash.digest('hex').slice(0, 16)}`
}

/** Whether a version of Go (`1.26.8`, `1.27rc1`) is at least the wanted one. Release candidates count as their release. */
export function isAtLeast(version: string, wanted: string): boolean {
  const numbers = (text: string) => text.split('.').map((part) => Number.parseInt(part, 10) || 0)
  const have = numbers(version)
  for (const [i, want] of numbers(wanted).entries()) {
    const difference = (have[i] ?? 0) - want
    if (difference !== 0) return difference > 0
  }
  return true
}
