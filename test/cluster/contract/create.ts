import { expect } from 'vitest'
import { resources } from '../../../packages/server/src/kube/index.ts'
import type { Area } from './case.ts'
import { configMaps, deployment, pod, quietPod, refusal } from './objects.ts'
import { until } from './wait.ts'

export const createArea: Area = {
  title: 'Create',
  cases: [
    {
      title: 'the answer is the stored object with its defaults, uid, version, time and generation',
      async run({ kube, namespace: at, seen }) {
        const namespace = await at()
        const made = await kube.create(resources.pods, quietPod('a', { x: '1' }), { namespace })
        expect(made).toMatchObject({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a', namespace, generation: 1 } })
        expect(made.metadata?.uid).toMatch(/^[0-9a-f-]{36}$/)
        expect(made.metadata?.resourceVersion).toMatch(/^\d+$/)
        expect(await kube.get(resources.pods, { namespace, name: 'a' })).toEqual(made)
        seen('pod', made)
        seen('deployment', await kube.create(resources.deployments, deployment('d', 0), { namespace }))
        seen('config map', await kube.create(configMaps, { metadata: { name: 'a' }, data: { a: 'b' } }, { namespace }))
      },
    },
    {
      title: 'asked for metadata alone, create and patch answer with nothing else, and refuse as ever',
      async run({ kube, namespace: at }) {
        const namespace = await at()
        const made = await kube.create(resources.pods, quietPod('a', { x: '1' }), { namespace, brief: true })
        expect(Object.keys(made).sort()).toEqual(['apiVersion', 'kind', 'metadata'])
        expect(made).toMatchObject({ apiVersion: 'meta.k8s.io/v1', kind: 'PartialObjectMetadata' })
        const { metadata } = await kube.get(resources.pods, { namespace, name: 'a' })
        expect(made.metadata).toEqual(metadata)
        const patch = { type: 'merge', body: { metadata: { labels: { x: '2' } } } } as const
        const patched = await kube.patch(resources.pods, { namespace, name: 'a' }, patch, { brief: true })
        expect(Object.keys(patched).sort()).toEqual(['apiVersion', 'kind', 'metadata'])
        expect(patched.metadata?.labels).toEqual({ x: '2' })
        expect(await refusal(kube.create(resources.pods, quietPod('a'), { namespace, brief: true }))).toEqual({
          code: 409,
          reason: 'AlreadyExists',
          message: 'pods "a" already exists',
        })
        expect(
          await refusal(kube.patch(resources.pods, { namespace, name: 'b' }, patch, { brief: true })),
        ).toMatchObject({ code: 404, reason: 'NotFound', message: 'pods "b" not found' })
      },
    },
    {
      title: 'a name that exists is 409 AlreadyExists',
      async run({ kube, namespace: at }) {
        const namespace = await at()
        await kube.create(resources.pods, quietPod('a'), { namespace })
        expect(await refusal(kube.create(resources.pods, quietPod('a'), { namespace }))).toEqual({
          code: 409,
          reason: 'AlreadyExists',
          message: 'pods "a" already exists',
        })
        await kube.create(resources.deployments, deployment('d', 0), { namespace })
        expect(await refusal(kube.create(resources.deployments, deployment('d', 0), { namespace }))).toEqual({
          code: 409,
          reason: 'AlreadyExists',
          message: 'deployments.apps "d" already exists',
        })
      },
    },
    {
      title: '`generateName` adds five characters, also to a base that is too long',
      async run({ kube, namespace: at }) {
        const namespace = await at()
        const generated = async (generateName: string, dryRun = false) => {
          const { metadata: _metadata, ...rest } = quietPod('')
          const made = await kube.create(resources.pods, { ...rest, metadata: { generateName } }, { namespace, dryRun })
          expect(made.metadata?.generateName).toBe(generateName)
          return made.metadata?.name ?? ''
        }
        const suffix = '[bcdfghjklmnpqrstvwxz2456789]{5}'
        expect(await generated('pool-a-')).toMatch(new RegExp(`^pool-a-${suffix}$`))
        expect(await generated('pool-a-', true)).toMatch(new RegExp(`^pool-a-${suffix}$`))
        expect(await generated('x'.repeat(70))).toMatch(new RegExp(`^x{58}${suffix}$`))
        const names = await Promise.all(Array.from({ length: 8 }, () => generated('many-')))
        expect(new Set(names).size).toBe(8)
      },
    },
    {
      title: '`dryRun` validates and answers as a create does, and stores nothing',
      async run({ kube, namespace: at, seen }) {
        const namespace = await at()
        const trial = await kube.create(resources.deployments, deployment('d', 1), { namespace, dryRun: true })
        expect(trial.metadata?.uid).toMatch(/^[0-9a-f-]{36}$/)
        expect(trial.metadata?.resourceVersion).toBeUndefined()
        seen('deployment', trial)
        expect(await refusal(kube.get(resources.deployments, { namespace, name: 'd' }))).toMatchObject({ code: 404 })
        await kube.create(resources.pods, quietPod('a'), { namespace })
        expect(await refusal(kube.create(resources.pods, quietPod('a'), { namespace, dryRun: true }))).toEqual({
          code: 409,
          reason: 'AlreadyExists',
          message: 'pods "a" already exists',
        })
        const wrong = { ...quietPod('b'), spec: { containers: [] } }
        expect(await refusal(kube.create(resources.pods, wrong, { namespace, dryRun: true }))).toEqual({
          code: 422,
          reason: 'Invalid',
          message: 'Pod "b" is invalid: spec.containers: Required value',
          causes: [{ field: 'spec.containers', reason: 'FieldValueRequired', message: 'Required value' }],
        })
      },
    },
    {
      title:
        'refusals: no namespace, another namespace, no name, a version, another kind, not JSON, an unknown `dryRun`',
      async run({ kube, namespace: at, request, seen }) {
        const namespace = await at()
        expect(await refusal(kube.create(resources.pods, quietPod('a'), { namespace: 'none' }))).toEqual({
          code: 404,
          reason: 'NotFound',
          message: 'namespaces "none" not found',
        })
        const path = `/api/v1/namespaces/${namespace}/pods`
        const other = { ...quietPod('a'), metadata: { name: 'a', namespace: 'default' } }
        expect(await refusal(kube.create(resources.pods, other, { namespace }))).toEqual({
          code: 400,
          reason: 'BadRequest',
          message: 'the namespace of the provided object does not match the namespace sent on the request',
        })
        const nameless = await refusal(kube.create(resources.pods, { ...quietPod(''), metadata: {} }, { namespace }))
        expect(nameless).toMatchObject({ code: 422, reason: 'Invalid' })
        seen('nameless', nameless)
        const versioned = { ...quietPod('a'), metadata: { name: 'a', resourceVersion: '5' } }
        expect(await refusal(kube.create(resources.pods, versioned, { namespace }))).toEqual({
          code: 500,
          reason: '',
          message: 'resourceVersion should not be set on objects to be created',
        })
        const full = { apiVersion: 'v1', kind: 'Pod', ...quietPod('a') }
        const bodies = {
          'other kind': { ...full, kind: 'Service' },
          'other version': { ...full, apiVersion: 'v2' },
          'no kind': { metadata: { name: 'a' } },
          'not JSON': '{"a":',
          empty: '',
          'a list': [],
          'wrong type': { ...full, spec: { containers: 'none' } },
          'wrong label type': { ...full, metadata: { name: 'a', labels: { a: 5 } } },
        }
        for (const [what, body] of Object.entries(bodies)) {
          const { code, json } = await request('POST', path, body)
          expect(code).toBeGreaterThanOrEqual(400)
          seen(what, { code, json })
        }
        seen('dryRun', (await request('POST', `${path}?dryRun=Some`, full)).json)
        seen('every namespace', (await request('POST', '/api/v1/pods', full)).json)
      },
    },
    {
      title: 'bodies in YAML are accepted',
      only: { on: 'kube-apiserver', because: 'the simulator has no YAML parser' },
      async run({ namespace: ns, request }) {
        const path = `/api/v1/namespaces/${await ns()}/configmaps`
        const yaml = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n'
        expect((await request('POST', path, yaml, 'application/yaml')).code).toBe(201)
        expect(await request('POST', path, yaml, 'text/plain')).toMatchObject({
          code: 415,
          json: {
            message:
              'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf',
          },
        })
      },
    },
    {
      title: 'unknown members are dropped',
      async run({ kube, namespace: at, request }) {
        const namespace = await at()
        const more = { ...quietPod('a'), apiVersion: 'v1', kind: 'Pod', unknown: 1 }
        const made = await request('POST', `/api/v1/namespaces/${namespace}/pods`, more)
        expect(made.code).toBe(201)
        expect(made.json).not.toHaveProperty('unknown')
        expect(await kube.get(resources.pods, { namespace, name: 'a' })).not.toHaveProperty('unknown')
      },
    },
    {
      title: '`fieldValidation`: unknown and doubled members are ignored, warned of, or refused',
      async run({ namespace: ns, request, seen }) {
        const path = `/apis/apps/v1/namespaces/${await ns()}/deployments`
        const made = { apiVersion: 'apps/v1', kind: 'Deployment', ...deployment('d', 1) }
        const { spec, ...rest } = made
        const body = JSON.stringify({ ...rest, unknown: 1, spec: { ...spec, nope: { a: 1 } } }).replace(
          '"replicas":1',
          '"replicas":1,"replicas":2',
        )
        for (const validation of ['Ignore', 'Warn', 'Strict', '', 'Nope']) {
          const query = new URLSearchParams({ dryRun: 'All', fieldValidation: validation })
          const { code, json, headers } = await request('POST', `${path}?${query}`, body)
          const refused = code >= 400 ? json : undefined
          expect(code >= 400).toBe(validation === 'Strict' || validation === 'Nope')
          // One header or several: the same to HTTP.
          seen(validation || 'absent', { code, refused, warning: [headers.warning ?? []].flat().join(', ') })
        }
      },
    },
    {
      title: 'a namespace gets its name as a label, its finalizer and its ServiceAccount',
      async run(bench) {
        const name = await bench.namespace({ owner: 'me' })
        const made = await bench.kube.get(resources.namespaces, { name })
        expect(made.metadata?.labels).toEqual({ owner: 'me', 'kubernetes.io/metadata.name': name })
        expect(made.spec?.finalizers).toEqual(['kubernetes'])
        expect(made.status?.phase).toBe('Active')
        bench.seen('namespace', made)
      },
    },
    {
      title: 'nothing can be made in a terminating namespace (403 with its cause); it is emptied and goes',
      async run(bench) {
        const { kube } = bench
        const namespace = await bench.namespace()
        const held = pod('held', { spec: { schedulingGates: [{ name: 'podyard.example/hold' }] } })
        await kube.create(
          resources.pods,
          { ...held, metadata: { name: 'held', finalizers: ['podyard.example/hold'] } },
          { namespace },
        )
        await kube.create(resources.deployments, deployment('d', 1), { namespace })
        expect(await kube.delete(resources.namespaces, { name: namespace })).toBe('deleted')
        const terminating = await kube.get(resources.namespaces, { name: namespace })
        expect(terminating.status?.phase).toBe('Terminating')
        expect(await refusal(kube.create(resources.pods, quietPod('late'), { namespace }))).toEqual({
          code: 403,
          reason: 'Forbidden',
          message: `pods "late" is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`,
          causes: [
            {
              reason: 'NamespaceTerminating',
              message: `namespace ${namespace} is being terminated`,
              field: 'metadata.namespace',
            },
          ],
        })
        bench.seen(
          'generated name',
          await refusal(
            kube.create(resources.pods, { ...quietPod(''), metadata: { generateName: 'g-' } }, { namespace }),
          ),
        )
        bench.seen('deployment', await refusal(kube.create(resources.deployments, deployment('e', 1), { namespace })))
        await until('only the held pod to be left', async () => {
          const names = (await kube.list(resources.pods, { namespace })).items.map(({ metadata }) => metadata?.name)
          return names.length === 1
        })
        // Pods go first, and everything else waits for the last of them.
        expect((await kube.list(resources.deployments, { namespace })).items).toHaveLength(1)
        const body = { metadata: { finalizers: null } }
        await kube.patch(resources.pods, { namespace, name: 'held' }, { type: 'merge', body })
        await until('the namespace to be gone', async () => {
          const { items } = await kube.list(resources.namespaces, { fieldSelector: `metadata.name=${namespace}` })
          return items.length === 0
        })
        expect(await refusal(kube.delete(resources.namespaces, { name: 'default' }))).toEqual({
          code: 403,
          reason: 'Forbidden',
          message: 'namespaces "default" is forbidden: this namespace may not be deleted',
        })
      },
    },
  ],
}
