import type { V1Pod } from '@kubernetes/client-node'
import { describe, expect, test } from 'vitest'
import { isMarked } from '../pools/pod-facts.ts'
import { bearsMark, exclusivePatch, labelsAnnotation, sharedPatch, unmarkPatch } from './pod-marks.ts'

const evict = 'cluster-autoscaler.kubernetes.io/safe-to-evict'
const instance = { id: 'i1', podUid: 'u', podName: 'pod-1', labels: null }
const leaves = { staysInSet: false, labelKeys: new Set(['group', 'label1']) }
const stays = { ...leaves, staysInSet: true }

/** As an API server applies a merge patch to metadata. */
function patched(pod: V1Pod, patch: object | undefined): V1Pod {
  const merge = (target: Record<string, unknown>, change: Record<string, unknown>): Record<string, unknown> => {
    const merged = { ...target }
    for (const [key, value] of Object.entries(change)) {
      if (value === null) delete merged[key]
      else if (typeof value === 'object')
        merged[key] = merge((merged[key] ?? {}) as Record<string, unknown>, value as Record<string, unknown>)
      else merged[key] = value
    }
    return merged
  }
  return merge(pod as Record<string, unknown>, (patch ?? {}) as Record<string, unknown>) as V1Pod
}

const fresh: V1Pod = {
  metadata: {
    name: 'pod-1',
    uid: 'u',
    resourceVersion: '7',
    labels: { app: 'function-agent-p', group: 'group', label1: 'val1' },
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'r', controller: true }],
  },
}

describe('an exclusive pod', () => {
  test('without reuse leaves its ReplicaSet and every owner', () => {
    const pod = patched(fresh, exclusivePatch(instance, leaves))
    expect(pod.metadata).toEqual({
      name: 'pod-1',
      uid: 'u',
      resourceVersion: '7',
      labels: { app: 'pod-1', group: 'group', label1: 'val1', instanceStatus: 'running' },
      annotations: { [evict]: 'false', 'podyard.io/instance': 'i1' },
    })
    expect([isMarked(pod), bearsMark(pod, 'i1'), bearsMark(pod, 'i2'), bearsMark(fresh, 'i1')]).toEqual([
      true,
      true,
      false,
      false,
    ])
  })
  test('with reuse stays in it, as the last that it gives up', () => {
    const pod = patched(fresh, exclusivePatch(instance, stays))
    expect(pod.metadata?.labels).toMatchObject({ app: 'function-agent-p', 'schedule-policy': 'monopoly' })
    expect(pod.metadata?.ownerReferences).toEqual(fresh.metadata?.ownerReferences)
    expect(pod.metadata?.annotations?.['controller.kubernetes.io/pod-deletion-cost']).toBe('1000')
    expect([isMarked(pod), bearsMark(pod, 'i1')]).toEqual([true, true])
  })
  test('gets the labels of its instance, but none that says whose it is', () => {
    const labels = { color: 'red', app: 'x', instanceStatus: 'x', 'app.kubernetes.io/managed-by': 'x' }
    const pod = patched(fresh, exclusivePatch({ ...instance, labels }, leaves))
    expect(pod.metadata?.labels).toEqual({
      app: 'pod-1',
      group: 'group',
      label1: 'val1',
      instanceStatus: 'running',
      color: 'red',
    })
  })
  test('has a label that is no longer than labels are, and begins as they do', () => {
    const name = `${'x'.repeat(7)}-${'y'.repeat(63)}`
    const patch = exclusivePatch({ ...instance, podName: name }, leaves) as { metadata: { labels: { app: string } } }
    expect(patch.metadata.labels.app).toBe('y'.repeat(63))
    const dashed = exclusivePatch({ ...instance, podName: `x-${'y'.repeat(62)}` }, leaves) as typeof patch
    expect(dashed.metadata.labels.app).toBe('y'.repeat(62))
  })
})

describe('shared instances with labels', () => {
  const one = { ...instance, labels: { color: 'red', size: 's', label1: 'other' } }
  const two = { ...instance, id: 'i2', labels: { color: 'blue' } }
  const ended = (...ids: string[]) => {
    const keys = new Set(ids.map(labelsAnnotation))
    return (key: string) => keys.has(key)
  }
  const both = patched(patched(fresh, sharedPatch(one, leaves)), sharedPatch(two, leaves))

  test("show them beside the pool's own, which stay", () => {
    expect(both.metadata?.labels).toEqual({ ...fresh.metadata?.labels, color: 'blue', size: 's' })
    expect(both.metadata?.annotations).toEqual({
      'yr-labels-i1': '{"color":"red","size":"s"}',
      'yr-labels-i2': '{"color":"blue"}',
      [evict]: 'false',
    })
    expect(isMarked(both)).toBe(true)
  })
  test('take them along when they end, but for those that others have', () => {
    const pod = patched(both, unmarkPatch(both, ended('i2')))
    expect(pod.metadata?.labels).toEqual({ ...fresh.metadata?.labels, color: 'red', size: 's' })
    expect(pod.metadata?.annotations).toEqual({ 'yr-labels-i1': '{"color":"red","size":"s"}', [evict]: 'false' })
    const none = patched(pod, unmarkPatch(pod, ended('i1')))
    expect(none.metadata).toEqual({ ...fresh.metadata, annotations: {} })
    expect(isMarked(none)).toBe(false)
  })
  test('that ended before are nothing to do', () => {
    expect(unmarkPatch(both, ended('i3'))).toBeUndefined()
    expect(unmarkPatch(fresh, ended('i1'))).toBeUndefined()
  })
  test('the patch fails on a pod that was changed meanwhile', () => {
    expect(unmarkPatch(both, ended('i1'))).toMatchObject({ metadata: { uid: 'u', resourceVersion: '7' } })
  })
  test('whose annotation somebody broke end all the same', () => {
    const broken = patched(both, { metadata: { annotations: { 'yr-labels-i1': 'x', 'yr-labels-i2': '3' } } })
    const pod = patched(
      broken,
      unmarkPatch(broken, () => true),
    )
    expect(pod.metadata?.annotations).toEqual({})
  })
  test.each(['i1', 'a'.repeat(53)])('the annotation of %s names the id', (id) => {
    expect(labelsAnnotation(id)).toBe(`yr-labels-${id}`)
  })
  test.each(['a'.repeat(54), 'ä', 'a b', 'a/b', 'a-'])('the annotation of %s is a hash', (id) => {
    expect(labelsAnnotation(id)).toMatch(/^yr-labels-[0-9a-f]{40}$/)
  })
})
