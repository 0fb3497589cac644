import { expect } from 'vitest'
import { resources } from '../../../packages/server/src/kube/index.ts'
import type { Area, Bench } from './case.ts'
import { configMaps, deployment, isReady, pod, quietPod, refusal } from './objects.ts'
import { eventually, until } from './wait.ts'

const hold = 'podyard.example/hold'

/** A Deployment with two Ready pods and its ReplicaSet. */
async function withDeployment({ kube, namespace: ns }: Bench) {
  const namespace = await ns()
  await kube.create(resources.deployments, deployment('d', 2), { namespace })
  const pods = await eventually(
    'two Ready pods',
    async () => (await kube.list(resources.pods, { namespace })).items,
    (items) => items.length === 2 && items.every(isReady),
  )
  const [set] = (await kube.list(resources.replicaSets, { namespace })).items
  return { namespace, pods, set }
}

const count = async ({ kube }: Bench, namespace: string) => ({
  deployments: (await kube.list(resources.deployments, { namespace })).items.length,
  replicaSets: (await kube.list(resources.replicaSets, { namespace })).items.length,
  pods: (await kube.list(resources.pods, { namespace })).items.length,
})

export const deleteArea: Area = {
  title: 'Delete and garbage collection',
  cases: [
    {
      title: 'what is there goes, what is not there is not found',
      async run({ kube, namespace: ns, request, seen }) {
        const namespace = await ns()
        await kube.create(resources.pods, quietPod('a'), { namespace })
        expect(await kube.delete(resources.pods, { namespace, name: 'a' })).toBe('deleted')
        expect(await kube.delete(resources.pods, { namespace, name: 'a' })).toBe('not-found')
        await kube.create(configMaps, { metadata: { name: 'm' } }, { namespace })
        seen('answer', (await request('DELETE', `/api/v1/namespaces/${namespace}/configmaps/m`)).json)
        await kube.create(resources.pods, quietPod('b'), { namespace })
        seen('answer of a pod', (await request('DELETE', `/api/v1/namespaces/${namespace}/pods/b`)).json)
        seen('missing', (await request('DELETE', `/api/v1/namespaces/${namespace}/pods/b`)).json)
      },
    },
    {
      title: 'preconditions: a wrong uid or version is 409 and nothing is deleted; the right ones delete',
      async run({ kube, namespace: ns, seen }) {
        const namespace = await ns()
        const at = { namespace, name: 'a' }
        const { metadata } = await kube.create(resources.pods, quietPod('a'), { namespace })
        const uid = metadata?.uid ?? ''
        const resourceVersion = metadata?.resourceVersion ?? ''
        expect(await refusal(kube.delete(resources.pods, at, { preconditions: { uid: 'other' } }))).toEqual({
          code: 409,
          reason: 'Conflict',
          message: `Operation cannot be fulfilled on Pod "a": the UID in the precondition (other) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
        })
        expect(await refusal(kube.delete(resources.pods, at, { preconditions: { resourceVersion: '1' } }))).toEqual({
          code: 409,
          reason: 'Conflict',
          message: `Operation cannot be fulfilled on Pod "a": the ResourceVersion in the precondition (1) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`,
        })
        expect(await kube.get(resources.pods, at)).toMatchObject({ metadata: { uid } })
        expect(await kube.delete(resources.pods, at, { preconditions: { uid, resourceVersion } })).toBe('deleted')
        await kube.create(resources.deployments, deployment('d', 0), { namespace })
        seen(
          'deployment',
          await refusal(
            kube.delete(resources.deployments, { namespace, name: 'd' }, { preconditions: { uid: 'other' } }),
          ),
        )
      },
    },
    {
      title: 'a running pod gets its grace period and then goes; a grace period of 0 removes it at once',
      async run({ kube, namespace: ns, request }) {
        const namespace = await ns()
        await kube.create(resources.pods, pod('a', { spec: { terminationGracePeriodSeconds: 7 } }), { namespace })
        await kube.create(resources.pods, pod('b'), { namespace })
        await eventually(
          'two Ready pods',
          async () => (await kube.list(resources.pods, { namespace })).items,
          (items) => items.filter(isReady).length === 2,
        )
        const answer = await request('DELETE', `/api/v1/namespaces/${namespace}/pods/a`)
        expect(answer.code).toBe(200)
        expect(answer.json).toMatchObject({ kind: 'Pod', metadata: { deletionGracePeriodSeconds: 7 } })
        const { deletionTimestamp } = (answer.json as { metadata: { deletionTimestamp: string } }).metadata
        expect(Date.parse(deletionTimestamp)).not.toBeNaN()
        await kube.delete(resources.pods, { namespace, name: 'b' }, { gracePeriodSeconds: 0 })
        expect(await refusal(kube.get(resources.pods, { namespace, name: 'b' }))).toMatchObject({ code: 404 })
        await until(
          'the other to be gone',
          async () => (await kube.list(resources.pods, { namespace })).items.length === 0,
        )
      },
    },
    {
      title: 'a finalizer keeps an object until it is taken away; none can be added meanwhile',
      async run({ kube, namespace: ns, seen }) {
        const namespace = await ns()
        const at = { namespace, name: 'a' }
        const held = { ...quietPod('a'), metadata: { name: 'a', finalizers: [hold] } }
        await kube.create(resources.pods, held, { namespace })
        expect(await kube.delete(resources.pods, at)).toBe('deleted')
        const marked = await kube.get(resources.pods, at)
        expect(marked.metadata?.deletionTimestamp).toBeDefined()
        seen('marked', marked)
        const more = { metadata: { finalizers: [hold, 'podyard.example/more'] } }
        const refused = await refusal(kube.patch(resources.pods, at, { type: 'merge', body: more }))
        expect(refused).toMatchObject({ code: 422, reason: 'Invalid' })
        seen('refused', refused)
        const last = await kube.patch(resources.pods, at, { type: 'merge', body: { metadata: { finalizers: [] } } })
        seen('last answer', last)
        expect(await kube.delete(resources.pods, at)).toBe('not-found')
        const labelled = { metadata: { name: 'm', finalizers: [hold] } }
        await kube.create(configMaps, labelled, { namespace })
        await kube.delete(configMaps, { namespace, name: 'm' })
        seen('config map', await kube.get(configMaps, { namespace, name: 'm' }))
        const body = { metadata: { finalizers: null } }
        await kube.patch(configMaps, { namespace, name: 'm' }, { type: 'merge', body })
        expect(await kube.delete(configMaps, { namespace, name: 'm' })).toBe('not-found')
      },
    },
    {
      title: 'Background: the owner goes at once, what it owns after it',
      async run(bench) {
        const { namespace } = await withDeployment(bench)
        await bench.kube.delete(resources.deployments, { namespace, name: 'd' }, { propagationPolicy: 'Background' })
        expect((await count(bench, namespace)).deployments).toBe(0)
        await eventually(
          'nothing to be left',
          () => count(bench, namespace),
          ({ replicaSets, pods }) => replicaSets + pods === 0,
        )
      },
    },
    {
      title: 'Foreground: the owner stays, marked, until what it owns is gone',
      async run(bench) {
        const { kube } = bench
        const { namespace, pods } = await withDeployment(bench)
        const kept = pods[0]?.metadata?.name ?? ''
        const finalizers = (names: readonly string[] | null) =>
          kube.patch(
            resources.pods,
            { namespace, name: kept },
            { type: 'merge', body: { metadata: { finalizers: names } } },
          )
        await finalizers([hold])
        await kube.delete(resources.deployments, { namespace, name: 'd' }, { propagationPolicy: 'Foreground' })
        const marked = await kube.get(resources.deployments, { namespace, name: 'd' })
        expect(marked.metadata?.deletionTimestamp).toBeDefined()
        expect(marked.metadata?.finalizers).toEqual(['foregroundDeletion'])
        await eventually(
          'one pod to be left',
          () => count(bench, namespace),
          (left) => left.pods === 1,
        )
        expect(await count(bench, namespace)).toEqual({ deployments: 1, replicaSets: 1, pods: 1 })
        await finalizers(null)
        await eventually(
          'nothing to be left',
          () => count(bench, namespace),
          (left) => left.deployments + left.replicaSets + left.pods === 0,
        )
      },
    },
    {
      title: 'Orphan: what it owned stays, without that owner',
      async run(bench) {
        const { kube } = bench
        const { namespace, set } = await withDeployment(bench)
        expect(set?.metadata?.ownerReferences).toHaveLength(1)
        await kube.delete(resources.deployments, { namespace, name: 'd' }, { propagationPolicy: 'Orphan' })
        await eventually(
          'the Deployment to be gone',
          () => count(bench, namespace),
          ({ deployments }) => deployments === 0,
        )
        expect(await count(bench, namespace)).toEqual({ deployments: 0, replicaSets: 1, pods: 2 })
        const [orphan] = (await kube.list(resources.replicaSets, { namespace })).items
        expect(orphan?.metadata?.uid).toBe(set?.metadata?.uid)
        expect(orphan?.metadata).not.toHaveProperty('ownerReferences')
      },
    },
    {
      title: 'without a policy apps/v1 deletes in the background',
      async run(bench) {
        const { namespace } = await withDeployment(bench)
        await bench.kube.delete(resources.deployments, { namespace, name: 'd' })
        expect((await count(bench, namespace)).deployments).toBe(0)
        await eventually(
          'nothing to be left',
          () => count(bench, namespace),
          ({ replicaSets, pods }) => replicaSets + pods === 0,
        )
      },
    },
    {
      title: 'an object whose only owner never was, or was another of that name, is collected',
      async run({ kube, namespace: ns }) {
        const namespace = await ns()
        const owner = await kube.create(resources.deployments, deployment('d', 0), { namespace })
        const owned = (name: string, uid: string) => ({
          ...quietPod(name),
          metadata: { name, ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'd', uid }] },
        })
        await kube.create(resources.pods, owned('true', owner.metadata?.uid ?? ''), { namespace })
        await kube.create(resources.pods, owned('false', '00000000-0000-4000-8000-000000000000'), { namespace })
        await until('the false one to be gone', async () => {
          const { items } = await kube.list(resources.pods, { namespace })
          return items.length === 1
        })
        expect((await kube.get(resources.pods, { namespace, name: 'true' })).metadata?.name).toBe('true')
      },
    },
    {
      title: 'eviction deletes a pod',
      async run({ kube, namespace: ns, request, seen }) {
        const namespace = await ns()
        await kube.create(resources.pods, quietPod('a'), { namespace })
        const evict = (name: string, metadata: object) =>
          request('POST', `/api/v1/namespaces/${namespace}/pods/${name}/eviction`, {
            apiVersion: 'policy/v1',
            kind: 'Eviction',
            metadata,
          })
        const wrong = await evict('a', { name: 'b' })
        seen('wrong', { code: wrong.code, json: wrong.json })
        const done = await evict('a', { name: 'a' })
        expect(done.code).toBe(201)
        seen('done', done.json)
        const missing = await evict('a', { name: 'a' })
        seen('missing', { code: missing.code, json: missing.json })
        await until('no pod', async () => (await kube.list(resources.pods, { namespace })).items.length === 0)
      },
    },
    {
      title: '`dryRun` deletes nothing; refusals of unknown policies and contradictions',
      async run({ kube, namespace: ns, request, seen }) {
        const namespace = await ns()
        await kube.create(resources.deployments, deployment('d', 0), { namespace })
        const path = `/apis/apps/v1/namespaces/${namespace}/deployments/d`
        const options = (more: object) => ({ apiVersion: 'v1', kind: 'DeleteOptions', ...more })
        const trial = await request('DELETE', path, options({ dryRun: ['All'] }))
        expect(trial.code).toBe(200)
        expect((await kube.get(resources.deployments, { namespace, name: 'd' })).metadata?.name).toBe('d')
        seen('trial', trial.json)
        const wrong = {
          policy: { propagationPolicy: 'Nope' },
          both: { propagationPolicy: 'Orphan', orphanDependents: true },
          dryRun: { dryRun: ['Some'] },
          grace: { gracePeriodSeconds: 'x' },
        }
        for (const [what, more] of Object.entries(wrong)) {
          const { code, json } = await request('DELETE', path, options(more))
          expect(code).toBeGreaterThanOrEqual(400)
          seen(what, { code, json })
        }
        expect((await kube.get(resources.deployments, { namespace, name: 'd' })).metadata?.name).toBe('d')
      },
    },
  ],
}
