import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AppError } from '../errors.ts'
import { type NodeParent, type PodParents, placePods, readPods, type WorkloadParent } from './pod-rules.ts'

const pod = (changes: object = {}) => ({
  spec: { bk_cluster_id: 1, bk_namespace_id: 2, bk_node_id: 3, ref: { kind: 'job', id: 4 } },
  bk_host_id: 5,
  name: 'p',
  ...changes,
})
const workload: WorkloadParent = {
  kind: 'job',
  id: 4,
  name: 'j',
  bk_biz_id: 20,
  bk_cluster_id: 1,
  cluster_uid: 'u',
  bk_namespace_id: 2,
  namespace: 'n',
}
const node: NodeParent = { id: 3, name: 'n3', bk_biz_id: 20, bk_cluster_id: 1, has_pod: true }
const parents = (changes: Partial<PodParents> = {}): PodParents => ({
  workloads: [workload],
  shared: [],
  nodes: [node],
  ...changes,
})
const read = (bizId: number, changes?: object) => readPods({ data: [{ bk_biz_id: bizId, pods: [pod(changes)] }] })
const refusal = (work: () => unknown) => {
  try {
    work()
  } catch (error) {
    if (error instanceof AppError) return [error.code, ...error.args]
    throw error
  }
  return undefined
}

describe('readPods', () => {
  test('flattens in request order and says where each pod stands', () => {
    const items = readPods({ data: [{ bk_biz_id: 1, pods: [pod()] }, null, { pods: [pod(), pod()] }] })
    expect(items.map((item) => [item.bizId, item.at])).toEqual([
      [1, [0, 0]],
      [0, [2, 0]],
      [0, [2, 1]],
    ])
  })

  test('201 pods are too many however they are spread, 200 are not', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(80), { minLength: 1, maxLength: 6 }), (sizes) => {
        const total = sizes.reduce((sum, n) => sum + n, 0)
        const body = { data: sizes.map((n) => ({ bk_biz_id: 1, pods: Array.from({ length: n }, () => pod()) })) }
        if (total > 200) expect(refusal(() => readPods(body))).toEqual([1199035, 'pods', 200])
        else expect(readPods(body)).toHaveLength(total)
      }),
    )
  })
})

describe('placePods', () => {
  test('a pod of the workload’s own business', () =>
    expect(placePods(read(20), parents())).toMatchObject([{ workload, node }]))

  test('a shared namespace: platform and user may, the node is the platform’s', () => {
    const shared = parents({
      shared: [{ bk_namespace_id: 2, bk_asst_biz_id: 10 }],
      nodes: [{ ...node, bk_biz_id: 10 }],
    })
    expect(placePods(read(10), shared)).toHaveLength(1)
    expect(placePods(read(20), shared)).toHaveLength(1)
    expect(refusal(() => placePods(read(30), shared))).toEqual([1199006, 'namespace'])
    const foreignNode = parents({ shared: [{ bk_namespace_id: 2, bk_asst_biz_id: 10 }] })
    expect(refusal(() => placePods(read(20), foreignNode))).toEqual([1199006, 'node'])
  })

  test.each([
    ['no workload', { workloads: [] }, 'workload'],
    ['in another namespace', { workloads: [{ ...workload, bk_namespace_id: 9 }] }, 'workload'],
    ['in another cluster', { workloads: [{ ...workload, bk_cluster_id: 9 }] }, 'workload'],
    ['of another business', { workloads: [{ ...workload, bk_biz_id: 9 }] }, 'namespace'],
    ['no node', { nodes: [] }, 'node'],
    ['a node of another cluster', { nodes: [{ ...node, bk_cluster_id: 9 }] }, 'node'],
    ['a node of another business', { nodes: [{ ...node, bk_biz_id: 9 }] }, 'node'],
    ['all wrong: the workload comes first', { workloads: [], nodes: [] }, 'workload'],
  ])('%s', (_name, changes, what) =>
    expect(refusal(() => placePods(read(20), parents(changes)))).toEqual([1199006, what]),
  )
})
