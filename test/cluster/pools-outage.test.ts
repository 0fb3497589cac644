/** The API server goes away, forgets, changes its mind about a token, and is hard to reach: a control plane of the file's own. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { RequestRecord } from '../../packages/server/src/kube/http.ts'
import { type KubeObject, resources } from '../../packages/server/src/kube/index.ts'
import { beforeRetry, removeAllPools } from '../../packages/server/test/support/before-retry.ts'
import { eventually, type RunningController, usePoolCluster } from '../../packages/server/test/support/pool-cluster.ts'
import { checkAll, interfere, randomFrom, type Wanted } from '../../packages/server/test/support/pool-restarts.ts'
import { startTcpProxy, type TcpProxy } from '../../packages/server/test/support/tcp-proxy.ts'
import { must } from '../control-plane/api.ts'
import type { ControlPlane } from '../control-plane/control-plane.ts'
import { startControlPlane } from '../control-plane/start.ts'
import { ownNamespace } from './support/own-namespace.ts'

let plane: ControlPlane
let proxy: TcpProxy
let folder: string
let tokenFile: string
const records: RequestRecord[] = []
let controller: RunningController | undefined

const c = usePoolCluster({
  connect: async () => {
    plane = await startControlPlane({ nodes: 3 })
    const { hostname, port } = new URL(plane.url)
    proxy = await startTcpProxy({ host: hostname, port: Number(port) })
    // Not the administrator: somebody whose rights are looked up, with a token that is read from a file.
    await must(plane.api, 'POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      metadata: { name: 'podyard' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: plane.user.name }],
    })
    folder = await mkdtemp(join(tmpdir(), 'podyard-token-'))
    tokenFile = join(folder, 'token')
    await writeFile(tokenFile, plane.user.tokens[0])
    const cluster = await ownNamespace(plane, {
      server: `https://127.0.0.1:${proxy.port}`,
      credentials: { tokenFile },
      client: { onRequest: (record) => records.push(record) },
    })
    return {
      ...cluster,
      async stop() {
        await cluster.kube.close()
        await proxy.stop()
        await plane.stop()
        await rm(folder, { recursive: true, force: true })
      },
    }
  },
})
beforeRetry(async () => {
  // The API server may have been left frozen, ended or with other tokens.
  await plane.stopApiServer('SIGKILL')
  await plane.startApiServer()
  await writeFile(tokenFile, plane.user.tokens[0])
})
beforeEach(async () => {
  proxy.heal()
  proxy.delayMs = 0
  controller = await c.start({ idleTimeoutMs: 5_000 })
  await removeAllPools(c)
  if (!isTidy) await removeOrphans()
})
afterEach(() => controller?.stop())

/** The last test came to its end; what that has left behind the next one must find. */
let isTidy = true
/**
 * What garbage collection forgot when a try ended in the middle of an outage: a ReplicaSet whose Deployment came and went
 * while the controller manager saw neither goes on making pods for ever.
 */
async function removeOrphans(): Promise<void> {
  const { namespace } = c
  await eventually('no ReplicaSets and pods of an earlier test', async () => {
    const left: string[] = []
    for (const resource of [resources.replicaSets, resources.pods]) {
      for (const { metadata } of (await c.kube.list<KubeObject>(resource, { namespace })).items) {
        left.push(metadata?.name ?? '')
        await c.kube.delete(resource, { namespace, name: metadata?.name ?? '' }, { propagationPolicy: 'Background' })
      }
    }
    return { isDone: left.length === 0, value: left }
  })
}

const random = randomFrom(Number(process.env.SEED ?? 3))
let round = 0
/** Pools are made, changed and deleted; what was acknowledged is in `wanted`. */
async function work(wanted: Map<string, Wanted>, rounds: number): Promise<void> {
  for (let i = 0; i < rounds; i += 1) await interfere(c, round++, wanted, random)
}
const count = (suits: (record: RequestRecord) => boolean) => records.filter(suits).length

/** Works before, in the middle of and after what happens, and looks whether everything came to what was wanted. */
async function survives(happens: (busy: () => Promise<void>) => Promise<void>): Promise<void> {
  isTidy = false
  const wanted = new Map<string, Wanted>()
  // It knows the cluster before anything happens.
  await c.create({ id: 'first', size: 1 })
  wanted.set('first', { size: 1, most: 1 })
  await c.reaches('first', 4)
  await work(wanted, 4)
  await happens(() => work(wanted, 3))
  await work(wanted, 2)
  await checkAll(c, wanted)
  await removeAllPools(c)
  isTidy = true
}

/**
 * Who plays the rest of the cluster sleeps while the API server is away: their own pauses between tries would keep the test
 * waiting for up to a minute afterwards.
 */
async function without(work: () => Promise<void>): Promise<void> {
  const others = ['kube-controller-manager', 'kube-scheduler', 'kwok'] as const
  for (const name of others) plane.freeze(name)
  try {
    await work()
  } finally {
    for (const name of others) plane.thaw(name)
  }
}

test('the API server is stopped and started again while pools come and go', () =>
  survives((busy) =>
    without(async () => {
      await plane.stopApiServer()
      await busy()
      await plane.startApiServer()
    }),
  ))

test('the API server is killed, and etcd forgets its history meanwhile: the watches are told 410 and list again', () =>
  survives(async (busy) => {
    // Only a reflector lists them, and only when it cannot go on from where it was.
    const isList = (record: RequestRecord) => record.verb === 'list' && record.resource === 'replicasets'
    const before = count(isList)
    await without(async () => {
      await plane.stopApiServer('SIGKILL')
      await plane.compact()
      await busy()
      await plane.startApiServer()
    })
    await eventually('listed anew', async () => ({ isDone: count(isList) > before, value: records.slice(-20) }))
  }))

test('etcd is compacted under a running API server', () =>
  survives(async (busy) => {
    await plane.compact()
    await busy()
    proxy.drop()
    await plane.compact()
    await busy()
  }))

test('the token is another one: the old one is refused, the new one is read from its file', () =>
  survives(async (busy) => {
    const refused = () => count((record) => record.code === 401)
    const before = refused()
    await without(() => plane.restartApiServer({ signal: 'SIGKILL', refuseTokens: [plane.user.tokens[0]] }))
    await busy()
    // For a while nobody has renewed it.
    await eventually('the old token refused', async () => ({ isDone: refused() > before, value: records.slice(-20) }))
    await writeFile(tokenFile, plane.user.tokens[1])
    await busy()
  }))

test('the network is slow, breaks, then swallows everything: a pool says so, and all is made up for', () =>
  survives(async (busy) => {
    proxy.delayMs = 200
    await busy()
    proxy.delayMs = 20
    proxy.drop()
    await busy()
    await c.create({ id: 'in-the-dark', size: 1 })
    proxy.partition()
    await busy()
    await c.create({ id: 'darker', size: 1 })
    const said = await eventually('a pool that says that nobody answers', async () => {
      const view = await c.view('darker')
      return { isDone: view?.msg.includes('no answer within') === true, value: view }
    })
    expect(said.status).toBe(1)
    proxy.heal()
    for (const id of ['in-the-dark', 'darker']) {
      expect(await c.reaches(id, 4)).toMatchObject({ ready_count: 1 })
      expect(await c.pods(id)).toHaveLength(1)
      await c.service.remove({ id, group: '' })
      await c.isRemoved(id)
    }
  }))

test('the API server stops in the middle of its answers (SIGSTOP), and goes on', () =>
  survives(async (busy) => {
    plane.freeze('kube-apiserver')
    try {
      await busy()
      await new Promise((resolve) => setTimeout(resolve, 7_000))
    } finally {
      plane.thaw('kube-apiserver')
    }
  }))
