import { describe, expect, test } from 'vitest'
import { resources } from '../../src/kube/index.ts'
import { eventually, type PoolCluster } from './pool-cluster.ts'

/** The example of the pool API's documentation. */
export const seed = {
  size: 2,
  max_size: 3,
  group: 'rg1',
  reuse: true,
  image: 'runtime-manager:v1',
  init_image: 'function-agent-init:v1',
  labels: { label1: 'val1' },
  environment: { env1: 'key1' },
  volumes: '[{"name":"pv-function","persistentVolumeClaim":{"claimName":"test-client-pvc-claim"}}]',
  volume_mounts: '[{"name":"pv-function","mountPath":"/home/sn/function-packages"}]',
  resources: { limits: { cpu: '600m', memory: '512Mi' }, requests: { cpu: '600m', memory: '512Mi' } },
  node_selector: { 'node-role.kubernetes.io/controlplane': 'true' },
  runtime_class_name: 'runc',
  idle_recycle_time: { reserved: -1, scaled: 10 },
  tolerations: '[{"key":"is-ds-worker-unready","operator": "Equal", "value": "true", "effect": "NoSchedule"}]',
  affinities:
    '{"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"node-type","operator":"In","values":["system"]}]}]}}}',
  horizontal_pod_autoscaler_spec:
    '{"minReplicas": 1, "maxReplicas": 2, "metrics":[{"resource": {"name":"cpu", "target":{"averageUtilization":20, "type":"Utilization"}}, "type":"Resource"}]}',
  topology_spread_constraints:
    '[{"maxSkew":1,"minDomains":1,"topologyKey":"kubernetes.io/hostname","whenUnsatisfiable":"DoNotSchedule", "matchLabelKeys": ["pod-template-hash"],"labelSelector":{"matchLabels": {"rg1":"rg1"}} }]',
}

/** Pools come, change and go as they should: whatever the cluster, a controller runs on it. */
export function poolLifecycle(c: PoolCluster): void {
  const ready = (id: string, count: number) =>
    eventually(`${count} ready pods of ${id}`, async () => {
      const view = await c.view(id)
      return { isDone: view?.ready_count === count, value: view }
    })

  /** Deletes a pod of a scalable pool, and waits until another one has taken its place. */
  async function replaced(name: string, id: string, count: number): Promise<void> {
    await c.kube.delete(resources.pods, { namespace: c.namespace, name })
    await eventually(`another pod in the place of ${name}`, async () => {
      const pods = (await c.pods(id)).map((pod) => pod.metadata?.name)
      const view = await c.view(id)
      return { isDone: !pods.includes(name) && pods.length === count && view?.ready_count === count, value: pods }
    })
  }

  describe('a fixed pool', () => {
    test('gets its pods, grows, shrinks and goes, and tells its story', async () => {
      await c.create({ id: 'fixed', size: 2 })
      expect(await c.reaches('fixed', 4)).toMatchObject({ ready_count: 2, msg: 'Running' })
      expect((await c.deployment('fixed'))?.spec?.replicas).toBe(2)

      await c.put('fixed', { size: 4 })
      expect(await c.reaches('fixed', 4)).toMatchObject({ size: 4, ready_count: 4, msg: 'Running' })

      await c.put('fixed', { size: 1 })
      await c.reaches('fixed', 4)
      await ready('fixed', 1)
      expect((await c.deployment('fixed'))?.spec?.replicas).toBe(1)

      await c.service.remove({ id: 'fixed', group: '' })
      await c.isRemoved('fixed')
      expect(await c.deployment('fixed')).toBeUndefined()
      await eventually('no pods', async () => {
        const pods = await c.pods('fixed')
        return { isDone: pods.length === 0, value: pods }
      })
      const story = await c.story('fixed')
      const steps = [
        'Declared',
        'DeploymentCreated',
        'Running',
        'UpdateAccepted',
        'ScaledUp',
        'Running',
        'UpdateAccepted',
      ]
      expect(story).toEqual([...steps, 'ScaledDown', 'Running', 'DeletionAccepted', 'Deleting', 'Deleted'])
    })

    test('with an autoscaler gets that, too, an updated text reaches it, and it goes with the pool', async () => {
      const hpa = (max: number) => JSON.stringify({ minReplicas: 1, maxReplicas: max })
      await c.create({ id: 'scaled', size: 1, horizontal_pod_autoscaler_spec: hpa(2) })
      await c.reaches('scaled', 4)
      expect((await c.hpa('scaled'))?.spec).toMatchObject({
        maxReplicas: 2,
        scaleTargetRef: { kind: 'Deployment', name: 'function-agent-scaled' },
      })
      await c.put('scaled', { size: 1, horizontal_pod_autoscaler_spec: hpa(5) })
      await c.reaches('scaled', 4)
      expect((await c.hpa('scaled'))?.spec?.maxReplicas).toBe(5)
      await c.service.remove({ id: 'scaled', group: '' })
      await c.isRemoved('scaled')
      expect(await c.hpa('scaled')).toBeUndefined()
    })

    test('of size 0 is running at once', async () => {
      await c.create({ id: 'empty' })
      expect(await c.reaches('empty', 4)).toMatchObject({ ready_count: 0, msg: 'Running' })
    })
  })

  describe('a scalable pool', () => {
    test("as in the documentation's example runs with everything that it names", async () => {
      await c.create({ id: 'pool1', ...seed })
      expect(await c.reaches('pool1', 4)).toMatchObject({
        ready_count: 2,
        scalable: true,
        msg: 'Running; topology_spread_constraints is not applied: max_size is above size; horizontal_pod_autoscaler_spec is not applied: a pool with max_size above size is scaled by claims',
      })
      expect((await c.deployment('pool1'))?.spec?.replicas).toBe(0)
      expect(await c.hpa('pool1')).toBeUndefined()
      const pods = await c.pods('pool1')
      expect(pods).toHaveLength(2)
      for (const pod of pods) {
        expect(pod.metadata?.name).toMatch(/^function-agent-pool1-[0-9a-f]{20}$/)
        expect(pod.metadata?.labels).toMatchObject({ label1: 'val1', rg1: 'rg1', 'yr-idle-to-recycle': 'unlimited' })
        expect(pod.metadata?.labels?.['yr-reuse']).toBeUndefined()
        expect(pod.metadata?.annotations?.['yr-pod-pool']).toBe('pool1')
        expect(pod.spec).toMatchObject({
          runtimeClassName: 'runc',
          nodeSelector: { 'node-role.kubernetes.io/controlplane': 'true' },
        })
      }
      expect(new Set(pods.map((pod) => pod.spec?.nodeName)).size).toBe(2)
      const story = await c.story('pool1')
      expect(story).toEqual(
        expect.arrayContaining(['Declared', 'DeploymentCreated', 'FieldIgnored', 'PodsCreated', 'Running']),
      )
    })

    test('grows by pods, replaces lost ones, and shrinks by none', async () => {
      await c.create({ id: 'warm', size: 1, max_size: 5 })
      await c.reaches('warm', 4)
      await c.put('warm', { size: 3, max_size: 5 })
      expect(await c.reaches('warm', 4)).toMatchObject({ ready_count: 3 })

      const [victim] = await c.pods('warm')
      await replaced(victim?.metadata?.name ?? '', 'warm', 3)
      expect((await c.view('warm'))?.status).toBe(4)

      await c.put('warm', { size: 1, max_size: 5 })
      // The row may still count the pod that was lost when its successor is not ready yet.
      await eventually('running, with as many as before', async () => {
        const view = await c.view('warm')
        return { isDone: view?.status === 4 && view.ready_count === 3, value: view }
      })
      expect(await c.pods('warm')).toHaveLength(3)
    })

    test('above max_size gives idle pods back', async () => {
      await c.create({ id: 'wide', size: 3, max_size: 6 })
      await c.reaches('wide', 4)
      const [busy, other] = await c.pods('wide')
      const name = busy?.metadata?.name ?? ''
      await c.kube.patch(
        resources.pods,
        { namespace: c.namespace, name },
        { type: 'merge', body: { metadata: { labels: { instanceStatus: 'running' } } } },
      )
      // Whoever has made up for a pod that went after the label came has seen the label.
      await replaced(other?.metadata?.name ?? '', 'wide', 3)
      await c.put('wide', { size: 1, max_size: 1 })
      const left = await eventually('one pod left', async () => {
        const pods = await c.pods('wide')
        return { isDone: pods.length === 1, value: pods }
      })
      expect(left[0]?.metadata?.name).toBe(name)
      await ready('wide', 1)
    })

    test('goes with its pods', async () => {
      await c.create({ id: 'gone', size: 2, max_size: 4 })
      await c.reaches('gone', 4)
      await c.service.remove({ id: 'gone', group: '' })
      await c.isRemoved('gone')
      await eventually('no pods', async () => {
        const pods = await c.pods('gone')
        return { isDone: pods.length === 0, value: pods }
      })
      // The id is free again.
      await c.create({ id: 'gone', size: 1, max_size: 2 })
      await c.reaches('gone', 4)
    })
  })
}
