import type { V1Pod } from '@kubernetes/client-node'
import { describe, expect, test } from 'vitest'
import { createPodBacklog, type PodBacklog, readingOf } from './pod-backlog.ts'

const pod = (uid: string, ip?: string, nodeName: string | undefined = 'node-1', annotations = {}): V1Pod => ({
  metadata: { uid, name: `name-${uid}`, namespace: 'ns', annotations },
  spec: { ...(nodeName === '' ? {} : { nodeName }), containers: [{ name: 'main', image: 'img' }] },
  status: ip === undefined ? {} : { podIP: ip },
})
const tell = (backlog: PodBacklog, after: V1Pod) => backlog.tell({ before: undefined, after })
const goes = (backlog: PodBacklog, uid: string) => backlog.tell({ before: pod(uid), after: undefined })
const waiting = (backlog: PodBacklog) =>
  [...backlog.waiting()].map(([uid, it]) => `${uid} ${it.kind === 'read' ? readingOf(uid, it).ip : it.kind}`)

/** Takes what waits and says that it was written. */
function writeAll(backlog: PodBacklog): void {
  for (const [uid, it] of [...backlog.waiting()]) {
    backlog.take(uid)
    if (it.kind === 'read') backlog.written(uid, it.print)
    else backlog.removed(uid)
  }
}

describe('a backlog of pods', () => {
  test('holds a pod once, in its last state, until it is written', () => {
    const backlog = createPodBacklog()
    expect(tell(backlog, pod('a', '10.0.0.1'))).toBe(true)
    expect(tell(backlog, pod('a', '10.0.0.2'))).toBe(true)
    expect(waiting(backlog)).toEqual(['a 10.0.0.2'])
    writeAll(backlog)
    expect(backlog.size).toBe(0)
  })

  test('takes no notice of what the inventory does not keep, nor of a change that was taken back', () => {
    const backlog = createPodBacklog()
    tell(backlog, pod('a', '10.0.0.1'))
    writeAll(backlog)
    expect(tell(backlog, pod('a', '10.0.0.1', 'node-1', { seen: 'yes' }))).toBe(false)
    expect(tell(backlog, pod('a', '10.0.0.2'))).toBe(true)
    expect(tell(backlog, pod('a', '10.0.0.1'))).toBe(false)
    expect(backlog.size).toBe(0)
  })

  test('a pod that changes back while it is being written waits again', () => {
    const backlog = createPodBacklog()
    tell(backlog, pod('a', '10.0.0.1'))
    writeAll(backlog)
    tell(backlog, pod('a', '10.0.0.2'))
    const taken = [...backlog.waiting()]
    for (const [uid] of taken) backlog.take(uid)
    tell(backlog, pod('a', '10.0.0.1'))
    for (const [uid, it] of taken) if (it.kind === 'read') backlog.written(uid, it.print)
    expect(waiting(backlog)).toEqual(['a 10.0.0.1'])
  })

  test('what could not be written waits again, unless something newer does', () => {
    const backlog = createPodBacklog()
    tell(backlog, pod('a', '10.0.0.1'))
    tell(backlog, pod('b', '10.0.0.2'))
    const taken = [...backlog.waiting()]
    for (const [uid] of taken) backlog.take(uid)
    goes(backlog, 'b')
    for (const [uid, it] of taken) backlog.putBack(uid, it)
    expect(waiting(backlog).sort()).toEqual(['a 10.0.0.1', 'b gone'])
  })

  test('a pod without a node has nothing to be written, and is known to be there', () => {
    const backlog = createPodBacklog()
    expect(tell(backlog, pod('a', undefined, ''))).toBe(false)
    expect(backlog.has('a')).toBe(true)
    expect(backlog.redo('a', { namespace: 'ns', name: 'name-a' })).toBe(false)
    expect(tell(backlog, pod('a', undefined, 'node-1'))).toBe(true)
    goes(backlog, 'a')
    expect(backlog.has('a')).toBe(false)
    writeAll(backlog)
    expect(backlog.has('a')).toBe(false)
  })

  test('keeps content up to its bound; what is beyond is read when there is room', () => {
    const bytes = JSON.stringify(pod('a', '10.0.0.1')).length * 3
    const backlog = createPodBacklog(bytes)
    for (const uid of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) tell(backlog, pod(uid, '10.0.0.1'))
    const kinds = [...backlog.waiting()].map(([, it]) => it.kind)
    expect(new Set(kinds)).toEqual(new Set(['read', 'unread']))
    for (const [uid, it] of [...backlog.waiting()])
      if (it.kind === 'read') {
        backlog.take(uid)
        backlog.written(uid, it.print)
      }
    const [[uid] = ['']] = [...backlog.waiting()]
    backlog.fill(pod(uid, '10.0.0.9'))
    expect(waiting(backlog)[0]).toBe(`${uid} 10.0.0.9`)
    // Something newer may be known of the others.
    backlog.fill(pod(uid, '10.0.0.8'))
    expect(waiting(backlog)[0]).toBe(`${uid} 10.0.0.9`)
  })

  test('what may be lost is read again, once', () => {
    const backlog = createPodBacklog()
    tell(backlog, pod('a', '10.0.0.1'))
    tell(backlog, pod('b', undefined, ''))
    writeAll(backlog)
    expect(backlog.isWritten('a')).toBe(true)
    backlog.forgetWritten()
    expect([backlog.has('a'), backlog.has('b')]).toEqual([false, true])
    expect(backlog.redo('a', { namespace: 'ns', name: 'name-a' })).toBe(true)
    expect(backlog.redo('a', { namespace: 'ns', name: 'name-a' })).toBe(false)
    expect(waiting(backlog)).toEqual(['a unread'])
  })

  test('a pod that turns out to have no node does not wait to be read any longer', () => {
    const backlog = createPodBacklog()
    backlog.redo('a', { namespace: 'ns', name: 'name-a' })
    expect(backlog.fill(pod('a', undefined, ''))).toBe(true)
    expect([backlog.size, backlog.has('a')]).toEqual([0, true])
  })
})
