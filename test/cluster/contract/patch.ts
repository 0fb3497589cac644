import { expect } from 'vitest'
import { type JsonPatchOperation, resources } from '../../../packages/server/src/kube/index.ts'
import type { Area } from './case.ts'
import { deployment, quietPod, refusal } from './objects.ts'
import { strategicMerge } from './strategic-merge.ts'
import { until } from './wait.ts'

const conflictText = (resource: string, name: string) =>
  `Operation cannot be fulfilled on ${resource} "${name}": the object has been modified; please apply your changes to the latest version and try again`

export const patchArea: Area = {
  title: 'Patch',
  cases: [
    {
      title: 'merge patch: sets, replaces arrays, removes by null; a patch that changes nothing makes no version',
      async run({ kube, namespace: ns, seen }) {
        const namespace = await ns()
        const at = { namespace, name: 'a' }
        await kube.create(resources.pods, quietPod('a', { x: '1', y: '1' }), { namespace })
        const merge = (body: object) => kube.patch(resources.pods, at, { type: 'merge', body })
        const one = await merge({ metadata: { labels: { x: '2', y: null, z: '3' }, annotations: { n: 'v' } } })
        expect(one.metadata?.labels).toEqual({ x: '2', z: '3' })
        const same = await merge({ metadata: { labels: { x: '2', absent: null } } })
        expect(same.metadata?.resourceVersion).toBe(one.metadata?.resourceVersion)
        const two = await merge({ metadata: { finalizers: ['podyard.example/a', 'podyard.example/b'] } })
        const three = await merge({ metadata: { finalizers: ['podyard.example/b'] } })
        expect(two.metadata?.finalizers).toHaveLength(2)
        expect(three.metadata?.finalizers).toEqual(['podyard.example/b'])
        seen('patched', three)
        const none = await merge({ metadata: { labels: null, annotations: null, finalizers: null } })
        expect(none.metadata).not.toHaveProperty('labels')
        seen('bare', none)
      },
    },
    {
      title: 'JSON patch: add, replace, remove, test, escaped paths',
      async run({ kube, namespace: ns, seen }) {
        const namespace = await ns()
        await kube.create(resources.pods, quietPod('a', { x: '1', 'a/b': '1' }), { namespace })
        const patched = await kube.patch(
          resources.pods,
          { namespace, name: 'a' },
          {
            type: 'json',
            operations: [
              { op: 'test', path: '/metadata/labels/x', value: '1' },
              { op: 'replace', path: '/metadata/labels/x', value: '2' },
              { op: 'add', path: '/metadata/labels/y', value: '3' },
              { op: 'remove', path: '/metadata/labels/a~1b' },
              { op: 'add', path: '/metadata/finalizers', value: ['podyard.example/a'] },
              { op: 'add', path: '/metadata/finalizers/-', value: 'podyard.example/b' },
              { op: 'add', path: '/metadata/finalizers/0', value: 'podyard.example/c' },
            ],
          },
        )
        expect(patched.metadata?.labels).toEqual({ x: '2', y: '3' })
        expect(patched.metadata?.finalizers).toEqual(['podyard.example/c', 'podyard.example/a', 'podyard.example/b'])
        seen('patched', patched)
      },
    },
    {
      title: 'refusal of a JSON patch whose test fails, or whose path is missing, in the same words',
      async run({ kube, namespace: ns, seen, request }) {
        const namespace = await ns()
        await kube.create(resources.pods, quietPod('a', { x: '1' }), { namespace })
        const patch = (...operations: JsonPatchOperation[]) =>
          refusal(kube.patch(resources.pods, { namespace, name: 'a' }, { type: 'json', operations }))
        const failed = await patch(
          { op: 'test', path: '/metadata/labels/x', value: '2' },
          { op: 'remove', path: '/metadata/labels/x' },
        )
        expect(failed).toMatchObject({ code: 422, reason: 'Invalid' })
        seen('test', failed)
        seen('test of an absent value', await patch({ op: 'test', path: '/metadata/labels/none', value: '2' }))
        seen('test of an absent parent', await patch({ op: 'test', path: '/metadata/annotations/a', value: '2' }))
        seen('remove', await patch({ op: 'remove', path: '/metadata/labels/none' }))
        seen('add below nothing', await patch({ op: 'add', path: '/metadata/annotations/a', value: '1' }))
        seen('add beyond', await patch({ op: 'add', path: '/spec/containers/5', value: {} }))
        const uid = await patch({ op: 'test', path: '/metadata/uid', value: 'other' })
        expect(uid).toMatchObject({ code: 422 })
        seen('uid', uid)
        const path = `/api/v1/namespaces/${namespace}/pods/a`
        for (const body of ['[{"op":"nope","path":"/a"}]', '{}', '[', '[{"op":"add"}]', '']) {
          const answer = await request('PATCH', path, body, 'application/json-patch+json')
          seen(`body ${body}`, { code: answer.code, json: answer.json })
        }
      },
    },
    strategicMerge,
    {
      title: 'a stale version is 409 Conflict: in a merge patch, a JSON patch and a PUT; the current one succeeds',
      async run({ kube, namespace: ns, request, seen }) {
        const namespace = await ns()
        const at = { namespace, name: 'd' }
        const made = await kube.create(resources.deployments, deployment('d', 0), { namespace })
        const stale = '1'
        const body = { metadata: { resourceVersion: stale, labels: { x: '1' } } }
        const conflict = {
          code: 409,
          reason: 'Conflict',
          message: conflictText('deployments.apps', 'd'),
        }
        expect(await refusal(kube.patch(resources.deployments, at, { type: 'merge', body }))).toEqual(conflict)
        const operations: JsonPatchOperation[] = [
          { op: 'replace', path: '/metadata/resourceVersion', value: stale },
          { op: 'add', path: '/metadata/labels', value: { x: '1' } },
        ]
        expect(await refusal(kube.patch(resources.deployments, at, { type: 'json', operations }))).toEqual(conflict)
        const put = await request('PUT', `/apis/apps/v1/namespaces/${namespace}/deployments/d`, {
          ...made,
          metadata: { ...made.metadata, resourceVersion: stale },
        })
        expect(put).toMatchObject({ code: 409, json: conflict })
        seen('PUT', put.json)
        for (const query of ['', '?dryRun=All']) {
          const other = await request('PUT', `/apis/apps/v1/namespaces/${namespace}/deployments/d${query}`, {
            ...made,
            metadata: { name: 'd', uid: 'other' },
          })
          expect(other.code).toBe(409)
          seen(`PUT of another uid ${query}`, other.json)
        }
        await kube.create(resources.pods, quietPod('a'), { namespace })
        const { metadata } = await kube.get(resources.pods, { namespace, name: 'a' })
        const fresh = { metadata: { resourceVersion: metadata?.resourceVersion, labels: { x: '1' } } }
        const patched = await kube.patch(resources.pods, { namespace, name: 'a' }, { type: 'merge', body: fresh })
        expect(patched.metadata?.labels).toEqual({ x: '1' })
        expect(
          await refusal(kube.patch(resources.pods, { namespace, name: 'a' }, { type: 'merge', body: fresh })),
        ).toEqual({ ...conflict, message: conflictText('pods', 'a') })
      },
    },
    {
      title: 'concurrent patches with the same version: one succeeds, the others are 409',
      async run({ kube, namespace: ns }) {
        const namespace = await ns()
        const { metadata } = await kube.create(resources.pods, quietPod('a'), { namespace })
        const results = await Promise.allSettled(
          Array.from({ length: 8 }, (_, i) =>
            kube.patch(
              resources.pods,
              { namespace, name: 'a' },
              {
                type: 'merge',
                body: { metadata: { resourceVersion: metadata?.resourceVersion, labels: { x: String(i) } } },
              },
            ),
          ),
        )
        const refused = results.filter((one) => one.status === 'rejected').map(({ reason }) => reason)
        expect(refused).toHaveLength(7)
        for (const reason of refused) expect(reason).toMatchObject({ code: 409, reason: 'Conflict' })
      },
    },
    {
      title: '`dryRun` answers with what would be, and stores nothing',
      async run({ kube, namespace: ns, seen }) {
        const namespace = await ns()
        const at = { namespace, name: 'a' }
        const made = await kube.create(resources.pods, quietPod('a'), { namespace })
        const body = { metadata: { labels: { x: '1' } } }
        const trial = await kube.patch(resources.pods, at, { type: 'merge', body }, { dryRun: true })
        expect(trial.metadata?.labels).toEqual({ x: '1' })
        expect(trial.metadata?.resourceVersion).toBe(made.metadata?.resourceVersion)
        seen('trial', trial)
        expect(await kube.get(resources.pods, at)).toEqual(made)
        await kube.create(resources.deployments, deployment('d', 0), { namespace })
        const longer = { spec: { minReadySeconds: 5 }, metadata: { annotations: { x: '1' } } }
        const settledAt = { namespace, name: 'd' }
        await until('the revision', async () => {
          const { metadata } = await kube.get(resources.deployments, settledAt)
          return metadata?.annotations !== undefined
        })
        const grown = await kube.patch(
          resources.deployments,
          settledAt,
          { type: 'merge', body: longer },
          { dryRun: true },
        )
        expect(grown.metadata?.generation).toBe(2)
        seen('grown', [grown.metadata, grown.spec])
        const wrong = { metadata: { labels: { 'a b': '1' } } }
        const refused = await refusal(kube.patch(resources.pods, at, { type: 'merge', body: wrong }, { dryRun: true }))
        expect(refused).toMatchObject({ code: 422, reason: 'Invalid' })
        seen('refused', refused)
      },
    },
    {
      title: 'the status is written by its subresource only, and nothing else by it',
      async run({ kube, namespace: ns, seen }) {
        const namespace = await ns()
        const at = { namespace, name: 'a' }
        await kube.create(resources.pods, quietPod('a', { x: '1' }), { namespace })
        const conditions = [{ type: 'podyard.example/A', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }]
        const body = { status: { conditions, message: 'told' }, spec: { activeDeadlineSeconds: 5 } }
        const status = await kube.patch(resources.pods, at, { type: 'merge', body }, { subresource: 'status' })
        expect(status.status).toMatchObject({ message: 'told' })
        expect(status.spec).not.toHaveProperty('activeDeadlineSeconds')
        seen('after status', status)
        const main = await kube.patch(resources.pods, at, {
          type: 'merge',
          body: { status: { message: 'other' }, metadata: { labels: { x: '2' } } },
        })
        expect(main.status?.message).toBe('told')
        expect(main.metadata?.labels).toEqual({ x: '2' })
        seen('after main', main)
      },
    },
    {
      title: 'the scale subresource reads and sets replicas',
      async run({ kube, namespace: ns, request, seen }) {
        const namespace = await ns()
        await kube.create(resources.deployments, deployment('d', 0), { namespace })
        const path = `/apis/apps/v1/namespaces/${namespace}/deployments/d/scale`
        const before = await request('GET', path)
        expect(before.json).toMatchObject({ kind: 'Scale', apiVersion: 'autoscaling/v1', spec: {} })
        seen('before', before.json)
        await kube.patch(
          resources.deployments,
          { namespace, name: 'd' },
          { type: 'merge', body: { spec: { replicas: 2 } } },
          { subresource: 'scale' },
        )
        expect((await kube.get(resources.deployments, { namespace, name: 'd' })).spec?.replicas).toBe(2)
        const refused = await request('PATCH', path, { spec: { replicas: -1 } }, 'application/merge-patch+json')
        expect(refused.code).toBe(422)
        seen('negative', refused.json)
      },
    },
    {
      title: 'refusals: not there, another name, an immutable field, a wrong type, an unknown content type',
      async run({ kube, namespace: ns, request, seen }) {
        const namespace = await ns()
        await kube.create(resources.pods, quietPod('a'), { namespace })
        await kube.create(resources.deployments, deployment('d', 0), { namespace })
        const merge = (name: string, body: object) =>
          refusal(kube.patch(resources.pods, { namespace, name }, { type: 'merge', body }))
        expect(await merge('none', { metadata: { labels: {} } })).toEqual({
          code: 404,
          reason: 'NotFound',
          message: 'pods "none" not found',
        })
        seen('other name', await merge('a', { metadata: { name: 'b' } }))
        seen('other namespace', await merge('a', { metadata: { namespace: 'default' } }))
        seen('other kind', await merge('a', { kind: 'Service' }))
        seen('unknown kind', await merge('a', { kind: 'Nope' }))
        seen('other version', await merge('a', { apiVersion: 'v2' }))
        seen('no name', await merge('a', { metadata: { name: null } }))
        seen('uid', await merge('a', { metadata: { uid: 'other' } }))
        seen('containers', await merge('a', { spec: { containers: null } }))
        seen('command', await merge('a', { spec: { containers: [{ name: 'c', image: 'a', command: ['x'] }] } }))
        seen('wrong type', await merge('a', { spec: { containers: 'x' } }))
        seen('label type', await merge('a', { metadata: { labels: { a: 5 } } }))
        seen('metadata', await merge('a', { metadata: null }))
        const selector = await refusal(
          kube.patch(
            resources.deployments,
            { namespace, name: 'd' },
            {
              type: 'merge',
              body: {
                spec: {
                  selector: { matchLabels: { other: 'x' } },
                  template: { metadata: { labels: { other: 'x' } } },
                },
              },
            },
          ),
        )
        expect(selector).toMatchObject({ code: 422, reason: 'Invalid' })
        expect(selector.message).toContain('field is immutable')
        seen('selector', selector)
        const path = `/api/v1/namespaces/${namespace}/pods/a`
        seen('content type', (await request('PATCH', path, {}, 'application/json')).json)
        seen('merge patch of an array', (await request('PATCH', path, [], 'application/merge-patch+json')).json)
        seen('merge patch, broken', (await request('PATCH', path, '{"a"', 'application/merge-patch+json')).json)
        seen('force', (await request('PATCH', `${path}?force=true`, {}, 'application/merge-patch+json')).json)
      },
    },
  ],
}
