/** A credential plugin's token on a real API server, which takes another one after a while. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createKubeClient, type KubeClient, loadKubeConfig, resources } from '../../packages/server/src/kube/index.ts'
import { must, until } from '../control-plane/api.ts'
import type { ControlPlane } from '../control-plane/control-plane.ts'
import { startControlPlane } from '../control-plane/start.ts'

let folder: string
let plane: ControlPlane
let kube: KubeClient
let tokenFile: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'podyard-exec-'))
  plane = await startControlPlane({ nodes: 0, kwok: false })
  tokenFile = join(folder, 'token')
  const plugin = join(folder, 'plugin')
  await writeFile(
    plugin,
    `#!/bin/sh
printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}' "$(cat "$1")"
`,
  )
  await chmod(plugin, 0o755)
  const exec = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: plugin,
    args: [tokenFile],
    interactiveMode: 'Never',
  }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'here',
    contexts: [{ name: 'here', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster: { server: plane.url, 'certificate-authority-data': plane.caData } }],
    users: [{ name: 'u', user: { exec } }],
  }
  const path = join(folder, 'config')
  await writeFile(path, JSON.stringify(config))
  kube = createKubeClient(await loadKubeConfig(path, { environment: { PATH: process.env.PATH ?? '' } }))
  await must(plane.api, 'POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: 'exec' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: plane.user.name }],
  })
})
afterAll(async () => {
  await kube?.close()
  await plane?.stop()
  await rm(folder, { recursive: true, force: true })
})

/** The API server hears of the binding a moment later, and reads it anew after a start. */
async function mayAll(token: string): Promise<void> {
  const api = plane.openApi(token)
  await until('the binding to hold', async () => (await api.request('GET', '/api/v1/namespaces')).status === 200, {
    limitMs: 120_000,
  })
  api.close()
}

test('is asked for once, and again when the server refuses what it gave', async () => {
  await mayAll(plane.user.tokens[0])
  await writeFile(tokenFile, plane.user.tokens[0])
  const made = await kube.create(
    resources.namespaces,
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'by-plugin' } },
    {},
  )
  expect(made.metadata?.name).toBe('by-plugin')
  // What it prints from now on is not asked for while the server takes the first.
  await writeFile(tokenFile, 'nobody')
  expect((await kube.get(resources.namespaces, { name: 'by-plugin' })).metadata?.uid).toBe(made.metadata?.uid)
  await plane.restartApiServer({ refuseTokens: [plane.user.tokens[0]] })
  await mayAll(plane.user.tokens[1])
  await writeFile(tokenFile, plane.user.tokens[1])
  expect((await kube.get(resources.namespaces, { name: 'by-plugin' })).metadata?.uid).toBe(made.metadata?.uid)
})
