import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { cacheKey, goVersionOf, isAtLeast, linkerFlags, type ModuleName, pinnedVersion } from './recipes.ts'

const goMod = (module: ModuleName) =>
  readFileSync(fileURLToPath(new URL(`modules/${module}/go.mod`, import.meta.url)), 'utf8')

test.each(['kubernetes', 'etcd', 'kwok'] as const)('%s has a pinned version and a Go version', (module) => {
  expect(pinnedVersion(module, goMod(module))).toMatch(/^v\d+\.\d+\.\d+$/)
  expect(goVersionOf(goMod(module))).toMatch(/^1\.\d+\.\d+$/)
})

test('the staging modules of Kubernetes are of its own version', () => {
  const text = goMod('kubernetes')
  const staging = pinnedVersion('kubernetes', text).replace('v1.', 'v0.')
  const replaced = [...text.matchAll(/^\t(k8s\.io\/\S+) => \1 (\S+)$/gm)].map(([, , version]) => version)
  expect(replaced.length).toBeGreaterThan(25)
  expect(new Set(replaced)).toEqual(new Set([staging]))
})

test('a Kubernetes binary knows its version', () => {
  expect(linkerFlags('kubernetes', 'v1.36.3')).toBe(
    '-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3 -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36',
  )
})

test('the cache’s folder changes with whatever goes into a build', () => {
  const text = goMod('etcd')
  const keys = [
    cacheKey('etcd', text, 'sum', 'linux-x64'),
    cacheKey('etcd', `${text}\n`, 'sum', 'linux-x64'),
    cacheKey('etcd', text, 'another sum', 'linux-x64'),
    cacheKey('etcd', text, 'sum', 'linux-arm64'),
  ]
  expect(new Set(keys).size).toBe(keys.length)
  expect(cacheKey('etcd', text, 'sum', 'linux-x64')).toBe(keys[0])
})

test.each([
  ['1.26.8', '1.26.0', true],
  ['1.26.0', '1.26.0', true],
  ['1.25.9', '1.26.0', false],
  ['1.9', '1.21', false],
  ['1.27rc1', '1.26.0', true],
  ['1.21', '1.21.0', true],
  ['2.0', '1.21', true],
])('Go %s is at least %s: %s', (have, want, is) => {
  expect(isAtLeast(have, want)).toBe(is)
})
