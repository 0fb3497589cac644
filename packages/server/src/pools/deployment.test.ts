// What a pool becomes on Kubernetes, in one file (over 300 lines): every part is made from the same sample pool.
import { describe, expect, test } from 'vitest'
import { barePodName, buildBarePod } from './bare-pod.ts'
import { defaultTemplate } from './default-template.ts'
import { buildDeployment, cpuMillis, memoryMebibytes, type PoolSource } from './deployment.ts'
import { deploymentDrift, hpaDrift } from './drift.ts'
import { buildHpa } from './hpa.ts'
import type { PoolSpec } from './pool.ts'
import { checkTemplate, loadTemplate, TemplateError } from './template.ts'

const template = checkTemplate(defaultTemplate, 'template')
const uid = '11111111-2222-3333-4444-555555555555'

function pool(spec: Partial<PoolSpec> = {}, scalable = false): PoolSource {
  return {
    uid,
    id: 'p1',
    scalable,
    spec: {
      group: 'default',
      size: 2,
      maxSize: 2,
      reuse: false,
      image: '',
      initImage: '',
      labels: null,
      environment: null,
      resources: { requests: { cpu: '600m', memory: '512Mi' }, limits: {} },
      nodeSelector: null,
      volumes: '',
      volumeMounts: '',
      affinities: '',
      tolerations: '',
      topologySpreadConstraints: '',
      horizontalPodAutoscalerSpec: '',
      runtimeClassName: '',
      podPendingDurationThreshold: 0,
      idleRecycleTime: { reserved: 0, scaled: 0 },
      autoscaling: null,
      ...spec,
    },
  }
}

const build = (spec: Partial<PoolSpec> = {}, scalable = false, from = template) =>
  buildDeployment(pool(spec, scalable), from, 'ns')
const podOf = (spec: Partial<PoolSpec> = {}, from = template) => {
  const built = build(spec, false, from).deployment.spec?.template
  if (built?.spec === undefined) throw new Error('no pod')
  return { meta: built.metadata, spec: built.spec }
}
const container = (spec: Partial<PoolSpec>, name: string) => podOf(spec).spec.containers.find((c) => c.name === name)

describe('the Deployment', () => {
  test('is named after the pool and marked as ours', () => {
    const { metadata, spec } = build().deployment
    expect(metadata).toMatchObject({
      name: 'function-agent-p1',
      namespace: 'ns',
      labels: { app: 'function-agent-p1', 'app.kubernetes.io/managed-by': 'podyard' },
      annotations: { 'podyard.io/pool-uid': uid },
    })
    expect(Object.keys(metadata?.labels ?? {})).toHaveLength(2)
    expect(spec?.selector).toEqual({ matchLabels: { app: 'function-agent-p1' } })
  })
  test('has the size as replicas in a fixed pool, none in a scalable one', () => {
    expect(build().deployment.spec?.replicas).toBe(2)
    expect(build({ maxSize: 3 }, true).deployment.spec?.replicas).toBe(0)
  })
  test('leaves the template as it was', () => {
    const before = JSON.stringify(template)
    build({ environment: { A: '1' }, volumeMounts: '[{"name":"a","mountPath":"/a"}]', nodeSelector: { x: 'y' } })
    expect(JSON.stringify(template)).toBe(before)
  })
})

describe('labels and annotations of the pods', () => {
  test("app, reuse, mark, the pool's, the group; a later one never overwrites an earlier one", () => {
    const labels = {
      app: 'mine',
      'yr-reuse': 'x',
      'app.kubernetes.io/managed-by': 'me',
      'podyard.io/pool-uid': 'label',
      g1: 'user',
      a: 'b',
      '': 'c',
    }
    const { deployment, notes } = build({ labels, group: 'g1', reuse: true })
    expect(Object.entries(deployment.spec?.template.metadata?.labels ?? {})).toEqual([
      ['app', 'function-agent-p1'],
      ['yr-reuse', 'true'],
      ['app.kubernetes.io/managed-by', 'podyard'],
      ['podyard.io/pool-uid', 'label'],
      ['g1', 'user'],
      ['a', 'b'],
    ])
    expect(notes).toEqual([
      'the label app is ignored: it is function-agent-p1 on every pod',
      'the label yr-reuse is ignored: it is true on every pod',
      'the label app.kubernetes.io/managed-by is ignored: it is podyard on every pod',
    ])
  })
  test('the group is a label with itself as value', () => {
    expect(podOf({ group: 'rg1' }).meta?.labels).toMatchObject({ rg1: 'rg1', 'yr-reuse': 'false' })
  })
  test("annotations: the template's, the threshold when there is one, the pool", () => {
    expect(podOf().meta?.annotations).toEqual({ 'yr-default': 'yr-default', 'podyard.io/pool-uid': uid })
    expect(podOf({ podPendingDurationThreshold: 7 }).meta?.annotations).toMatchObject({
      'yr-pod-pending-duration-threshold': '7',
    })
  })
})

describe('scheduling', () => {
  const anti = { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone' }] }
  test('by default pods of a pool are spread over nodes', () => {
    expect(podOf().spec.affinity).toEqual({
      podAntiAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          {
            weight: 100,
            podAffinityTerm: {
              topologyKey: 'kubernetes.io/hostname',
              labelSelector: { matchLabels: { app: 'function-agent-p1' } },
            },
          },
        ],
      },
    })
  })
  test("the pool's podAntiAffinity replaces the default, nodeAffinity alone does not", () => {
    expect(podOf({ affinities: JSON.stringify({ podAntiAffinity: anti }) }).spec.affinity).toEqual({
      podAntiAffinity: anti,
    })
    const node = { preferredDuringSchedulingIgnoredDuringExecution: [] }
    const merged = podOf({ affinities: JSON.stringify({ nodeAffinity: node }) }).spec.affinity
    expect(Object.keys(merged ?? {}).sort()).toEqual(['nodeAffinity', 'podAntiAffinity'])
  })
  test('nodeAffinity is merged half by half; the template keeps its labels when it has a podAntiAffinity', () => {
    const base = structuredClone(template) as never as { spec: { template: { metadata: object; spec: object } } }
    const required = { nodeSelectorTerms: [{ matchExpressions: [{ key: 't', operator: 'Exists' }] }] }
    const preferred = [{ weight: 1, preference: { matchExpressions: [{ key: 'u', operator: 'Exists' }] } }]
    base.spec.template.metadata = { labels: { team: 't', app: 'x' } }
    Object.assign(base.spec.template.spec, {
      affinity: {
        podAntiAffinity: anti,
        nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required },
      },
      nodeSelector: { a: '1', b: '1' },
      tolerations: [{ key: 'a' }],
    })
    const pod = podOf(
      {
        affinities: JSON.stringify({ nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: preferred } }),
        nodeSelector: { b: '2', c: '3' },
        tolerations: '[{"key":"b","effect":"NoExecute"}]',
        labels: { team: 'other' },
      },
      checkTemplate(base, 'template'),
    )
    expect(pod.spec.affinity).toEqual({
      podAntiAffinity: anti,
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: required,
        preferredDuringSchedulingIgnoredDuringExecution: preferred,
      },
    })
    expect(pod.meta?.labels).toMatchObject({ team: 't', app: 'function-agent-p1' })
    expect(pod.spec.nodeSelector).toEqual({ a: '1', b: '2', c: '3' })
    expect(pod.spec.tolerations).toEqual([{ key: 'a' }, { key: 'b', effect: 'NoExecute' }])
  })
  test('topology constraints: of a fixed pool they are applied, of a scalable one they are said not to be', () => {
    const topologySpreadConstraints = '[{"maxSkew":1,"topologyKey":"k","whenUnsatisfiable":"DoNotSchedule"}]'
    expect(podOf({ topologySpreadConstraints }).spec.topologySpreadConstraints).toHaveLength(1)
    const built = build({ topologySpreadConstraints, maxSize: 5, horizontalPodAutoscalerSpec: '{}' }, true)
    expect(built.deployment.spec?.template.spec?.topologySpreadConstraints).toBeUndefined()
    expect(built.notes).toEqual([
      'topology_spread_constraints is not applied: max_size is above size',
      'horizontal_pod_autoscaler_spec is not applied: a pool with max_size above size is scaled by claims',
    ])
  })
  test('the runtime class', () => {
    expect(podOf({ runtimeClassName: 'runc' }).spec.runtimeClassName).toBe('runc')
    expect(podOf().spec.runtimeClassName).toBeUndefined()
  })
})

describe('containers', () => {
  test('images, when given', () => {
    expect(container({ image: 'i:1' }, 'runtime-manager')?.image).toBe('i:1')
    expect(container({}, 'runtime-manager')?.image).toBe('runtime-manager:v1')
    expect(podOf({ initImage: 'j:1' }).spec.initContainers?.[0]?.image).toBe('j:1')
  })
  test("environment is appended to the runtime manager's alone, without nameless entries", () => {
    const environment = { E: '1', '': 'x' }
    expect(container({ environment }, 'runtime-manager')?.env?.at(-1)).toEqual({ name: 'E', value: '1' })
    expect(container({ environment }, 'runtime-manager')?.env?.some((e) => e.name === '')).toBe(false)
    expect(container({ environment }, 'function-agent')?.env?.some((e) => e.name === 'E')).toBe(false)
  })
  test('volumes are appended, mounts to all three containers', () => {
    const { spec } = podOf({
      volumes: '[{"name":"v","emptyDir":{}}]',
      volumeMounts: '[{"name":"v","mountPath":"/v"}]',
    })
    expect(spec.volumes?.map((v) => v.name)).toEqual(['podinfo', 'v'])
    for (const c of [...spec.containers, ...(spec.initContainers ?? [])])
      expect(c.volumeMounts?.at(-1)).toEqual({ name: 'v', mountPath: '/v' })
  })
  test("resources replace the runtime manager's; a request without a limit is its own limit", () => {
    const resources = { requests: { cpu: '500m', 'x.io/gpu': '1' }, limits: { cpu: '1', memory: '1Gi' } }
    expect(container({ resources }, 'runtime-manager')?.resources).toEqual({
      requests: { cpu: '500m', 'x.io/gpu': '1' },
      limits: { cpu: '1', 'x.io/gpu': '1', memory: '1Gi' },
    })
    expect(container({ resources }, 'function-agent')?.resources?.limits).toEqual({ cpu: '100m', memory: '128Mi' })
  })
  test('what is derived from the resources', () => {
    const env = (limits: Record<string, string>) =>
      Object.fromEntries(
        (container({ resources: { requests: {}, limits } }, 'runtime-manager')?.env ?? []).map((e) => [
          e.name,
          e.value,
        ]),
      )
    expect(env({ cpu: '2', memory: '6Gi' })).toMatchObject({
      CPU4COMP: '2000',
      MEM4COMP: '6144',
      INIT_LABELS: '{"resource.owner":"default"}',
    })
    expect(env({ cpu: 'x', memory: '5M' })).toMatchObject({ CPU4COMP: '500', MEM4COMP: '512' })
  })
  test.each([
    ['600m', 600],
    ['2', 2000],
    ['0.5', 500],
    ['0.57', 570],
    ['0', undefined],
    ['-1', undefined],
    ['0.0001', undefined],
    ['9999999999', undefined],
    ['1k', undefined],
    ['', undefined],
  ])('cpu %s', (text, value) => expect(cpuMillis(text)).toBe(value))
  test.each([
    ['512Mi', 512],
    ['6Gi', 6144],
    ['1Ki', undefined],
    ['5', undefined],
    ['0Mi', undefined],
    ['9999999999Gi', undefined],
  ])('memory %s', (text, value) => expect(memoryMebibytes(text)).toBe(value))
})

describe('the autoscaler', () => {
  test('targets the Deployment whatever the text says, and is marked as ours', () => {
    const text = '{"minReplicas":1,"maxReplicas":2,"scaleTargetRef":{"name":"other"},"metrics":[{"type":"Resource"}]}'
    expect(buildHpa(pool({ horizontalPodAutoscalerSpec: text }), 'ns')).toMatchObject({
      kind: 'wanted',
      hpa: {
        apiVersion: 'autoscaling/v2',
        metadata: { name: 'function-agent-p1-hpa', annotations: { 'podyard.io/pool-uid': uid } },
        spec: {
          scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'function-agent-p1' },
          minReplicas: 1,
          maxReplicas: 2,
          metrics: [{ type: 'Resource' }],
        },
      },
    })
  })
  test.each(['{', '[]', '5', '{"maxReplicas":"2"}', '{"metrics":{}}'])('%s cannot be read', (text) => {
    expect(buildHpa(pool({ horizontalPodAutoscalerSpec: text }), 'ns').kind).toBe('invalid')
    expect(buildHpa(pool({ horizontalPodAutoscalerSpec: text }, true), 'ns').kind).toBe('none')
  })
})

describe('pods of a scalable pool', () => {
  const make = (idle: { reserved: number; scaled: number }, isReserved: boolean, labels = {}) => {
    const source = pool({ idleRecycleTime: idle, labels, maxSize: 9 }, true)
    const { deployment } = buildDeployment(source, template, 'ns')
    const stored = { ...deployment, metadata: { ...deployment.metadata, uid: 'd-uid' } }
    return buildBarePod({ pool: source, deployment: stored, name: 'n', isReserved })
  }
  test('are copied from the Deployment and owned by it', () => {
    const pod = make({ reserved: 0, scaled: 0 }, true)
    expect(pod.metadata).toMatchObject({
      name: 'n',
      namespace: 'ns',
      annotations: { 'yr-default': 'yr-default', 'yr-pod-pool': 'p1', 'podyard.io/pool-uid': uid },
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          name: 'function-agent-p1',
          uid: 'd-uid',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    })
    expect(pod.metadata?.labels).toEqual({
      app: 'function-agent-p1',
      'app.kubernetes.io/managed-by': 'podyard',
      default: 'default',
    })
    expect(pod.spec?.containers).toHaveLength(2)
  })
  test.each([
    [{ reserved: -1, scaled: 10 }, true, 'unlimited'],
    [{ reserved: -1, scaled: 10 }, false, '10'],
    [{ reserved: 0, scaled: 0 }, true, 'mine'],
  ])('idle policy %j, reserved %s', (idle, isReserved, value) => {
    expect(make(idle, isReserved, { 'yr-idle-to-recycle': 'mine' }).metadata?.labels?.['yr-idle-to-recycle']).toBe(
      value,
    )
  })
  test('bear a mark when a request asked for them beyond what the pool keeps', () => {
    const marks = (isReserved: boolean) =>
      make({ reserved: 0, scaled: 0 }, isReserved).metadata?.annotations?.['podyard.io/on-demand']
    expect([marks(true), marks(false)]).toEqual([undefined, 'true'])
  })
  test('names are cut to 63 characters', () => {
    expect(barePodName('p', '0123456789abcdef0123')).toBe('function-agent-p-0123456789abcdef0123')
    expect(barePodName('p'.repeat(40), '0123456789abcdef0123')).toHaveLength(63)
  })
})

describe('drift', () => {
  const wanted = build({
    volumes: '[{"name":"v","emptyDir":{"sizeLimit":"1024Mi"}}]',
    nodeSelector: { a: 'b' },
  }).deployment
  /** As a server gives it back: defaults added, quantities in its own form, empty things gone. */
  const stored = () => {
    const copy = JSON.parse(JSON.stringify(wanted).replaceAll('1024Mi', '1Gi'))
    copy.metadata.uid = 'u'
    copy.spec.strategy = { type: 'RollingUpdate' }
    const pod = copy.spec.template.spec
    pod.dnsPolicy = 'ClusterFirst'
    for (const c of pod.containers)
      Object.assign(c, { imagePullPolicy: 'IfNotPresent', terminationMessagePath: '/dev/x' })
    return copy
  }
  test('defaults, canonical quantities and another replica count are none', () => {
    expect(deploymentDrift(wanted, { ...stored(), spec: { ...stored().spec, replicas: 9 } }).fields).toEqual([])
  })
  test.each([
    [
      'an image',
      'spec.template.spec.containers',
      (d: ReturnType<typeof stored>) => (d.spec.template.spec.containers[0].image = 'x'),
    ],
    [
      'a variable more',
      'spec.template.spec.containers',
      (d: ReturnType<typeof stored>) => d.spec.template.spec.containers[0].env.push({ name: 'x' }),
    ],
    [
      'a toleration',
      'spec.template.spec.tolerations',
      (d: ReturnType<typeof stored>) => (d.spec.template.spec.tolerations = [{ key: 'x' }]),
    ],
    [
      'a node label more',
      'spec.template.spec.nodeSelector',
      (d: ReturnType<typeof stored>) => (d.spec.template.spec.nodeSelector.x = 'y'),
    ],
    [
      'a limit',
      'spec.template.spec.containers',
      (d: ReturnType<typeof stored>) => (d.spec.template.spec.containers[0].resources.limits.cpu = '601m'),
    ],
    [
      'a pod label',
      'spec.template.metadata.labels',
      (d: ReturnType<typeof stored>) => (d.spec.template.metadata.labels.x = 'y'),
    ],
    ['the mark', 'metadata.labels', (d: ReturnType<typeof stored>) => delete d.metadata.labels],
    [
      'the pool of the pods',
      'spec.template.metadata.annotations.podyard.io/pool-uid',
      (d: ReturnType<typeof stored>) => delete d.spec.template.metadata.annotations['podyard.io/pool-uid'],
    ],
  ])('%s is an edit', (_name, field, edit) => {
    const edited = stored()
    edit(edited)
    const { fields, operations } = deploymentDrift(wanted, edited)
    expect(fields).toEqual([field])
    expect(operations).toHaveLength(1)
  })
  test('a rollout restart is not', () => {
    const edited = stored()
    edited.spec.template.metadata.annotations['kubectl.kubernetes.io/restartedAt'] = 'now'
    expect(deploymentDrift(wanted, edited).fields).toEqual([])
  })
  test('a Deployment from another template keeps its pods as they are', () => {
    const edited = stored()
    edited.metadata.annotations['podyard.io/template-hash'] = 'older'
    edited.spec.template.spec.containers[0].image = 'older'
    expect(deploymentDrift(wanted, edited).fields).toEqual([])
  })
  test("an autoscaler's spec", () => {
    const built = buildHpa(pool({ horizontalPodAutoscalerSpec: '{"maxReplicas":2}' }), 'ns')
    if (built.kind !== 'wanted') throw new Error(built.kind)
    const { hpa } = built
    const same = { ...hpa, spec: { ...(hpa.spec as object), minReplicas: 1 } } as typeof hpa
    expect(hpaDrift(hpa, same).fields).toEqual([])
    const other = { ...hpa, spec: { ...(hpa.spec as object), maxReplicas: 3 } } as typeof hpa
    expect(hpaDrift(hpa, other).fields).toEqual(['spec'])
  })

  test("quantities of an autoscaler in the server's own form are the same", () => {
    const text =
      '{"maxReplicas":2,"metrics":[{"type":"Pods","pods":{"target":{"type":"AverageValue","averageValue":"0.5"}}}]}'
    const built = buildHpa(pool({ horizontalPodAutoscalerSpec: text }), 'ns')
    if (built.kind !== 'wanted') throw new Error(built.kind)
    const stored = (value: string) => JSON.parse(JSON.stringify(built.hpa).replace('"0.5"', `"${value}"`))
    expect(hpaDrift(built.hpa, stored('500m')).fields).toEqual([])
    expect(hpaDrift(built.hpa, stored('501m')).fields).toEqual(['spec'])
  })
})

describe('the template', () => {
  test('the built-in one is used when no file is named', async () => {
    await expect(loadTemplate()).resolves.toMatchObject({ kind: 'Deployment' })
  })
  test('a missing file is one clear line', async () => {
    await expect(loadTemplate('/nonexistent/t.json')).rejects.toEqual(
      new TemplateError('the pool template /nonexistent/t.json cannot be read: there is no such file'),
    )
  })
  test.each([
    [[], 'is not an object'],
    [{ kind: 'Deployment', apiVersion: 'v1' }, 'is not an apps/v1 Deployment'],
    [{ kind: 'Deployment', apiVersion: 'apps/v1' }, 'has no spec.template.spec'],
    [
      {
        kind: 'Deployment',
        apiVersion: 'apps/v1',
        spec: { template: { spec: { containers: [{ name: 'runtime-manager' }] } } },
      },
      'has no container function-agent',
    ],
  ])('%j', (value, what) => {
    expect(() => checkTemplate(value, 't')).toThrow(`t ${what}`)
  })
})
