import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test, vi } from 'vitest'
import { MemoryStore } from '../src/store/object-store.ts'
import { configMap, configMaps, startApi } from './api-client.ts'

const child = fileURLToPath(new URL('./api-journal-child.ts', import.meta.url))

function journalPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'podyard-journal-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'journal')
}

async function startChild(journal: string): Promise<{ readonly process: ChildProcess; readonly url: string }> {
  const started = spawn(process.execPath, [child, journal], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => {
    started.kill('SIGKILL')
  })
  const [line] = (await once(started.stdout, 'data')) as [Buffer]
  return { process: started, url: line.toString().trim() }
}

type Acknowledged = Map<string, { readonly uid: string; readonly version: string } | 'deleted'>

/** Creates and deletes until the server dies; remembers what was answered. What was under way is in neither list. */
async function writeUntilKilled(url: string, worker: number, acknowledged: Acknowledged): Promise<void> {
  for (let i = 0; ; i += 1) {
    const name = `w${worker}-${i}`
    try {
      const created = await fetch(`${url}${configMaps}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(configMap(name, { data: { text: 'x'.repeat(i % 500) } })),
      })
      const { metadata } = (await created.json()) as { metadata: { uid: string; resourceVersion: string } }
      acknowledged.set(name, { uid: metadata.uid, version: metadata.resourceVersion })
      if (i % 3 !== 0) continue
      acknowledged.delete(name)
      const deleted = await fetch(`${url}${configMaps}/${name}`, { method: 'DELETE' })
      await deleted.text()
      if (deleted.ok) acknowledged.set(name, 'deleted')
    } catch {
      return
    }
  }
}

test('what was acknowledged before a kill is there after it, with its uid and version', async () => {
  const journal = journalPath()
  const acknowledged: Acknowledged = new Map()
  for (let round = 0; round < 3; round += 1) {
    const { process: server, url } = await startChild(journal)
    const writers = [0, 1, 2, 3].map((worker) => writeUntilKilled(url, round * 10 + worker, acknowledged))
    const enough = acknowledged.size + 40
    await vi.waitUntil(() => acknowledged.size >= enough, { timeout: 120_000, interval: 5 })
    server.kill('SIGKILL')
    await Promise.all(writers)
  }
  const store = new MemoryStore({ journal })
  onTestFinished(() => store.close())
  expect(acknowledged.size).toBeGreaterThanOrEqual(120)
  const versions: number[] = []
  for (const [name, expected] of acknowledged) {
    const found = store.get('configmaps', { namespace: 'default', name })
    if (expected === 'deleted') {
      expect(found, name).toBeUndefined()
    } else {
      expect(found?.metadata, name).toMatchObject({ uid: expected.uid, resourceVersion: expected.version })
      versions.push(Number(expected.version))
    }
  }
  expect(new Set(versions).size).toBe(versions.length)
  expect(store.revision).toBeGreaterThanOrEqual(Math.max(...versions))
  expect(store.count('nodes')).toBe(3)
})

test('a watch resumes over a restart, and versions go on', async () => {
  const journal = journalPath()
  const first = await startApi({ journal })
  const created = await first.call('POST', configMaps, configMap('a'))
  await first.call('POST', configMaps, configMap('b'))
  await first.call('DELETE', `${configMaps}/a`)
  const { revision } = first.simulator.store
  await first.simulator.stop()
  const second = await startApi({ journal })
  expect(second.simulator.store.revision).toBe(revision)
  const stream = await second.watch(`${configMaps}?watch=1&resourceVersion=${created.body.metadata.resourceVersion}`)
  expect(await stream.names(2)).toEqual(['ADDED b', 'DELETED a'])
  const next = await second.call('POST', configMaps, configMap('c'))
  expect(next.body.metadata.resourceVersion).toBe(String(revision + 1))
  await second.simulator.stop()
  // The journal was written anew at the second start, so what lies before it is gone, and said to be.
  const third = await startApi({ journal })
  const old = await third.watch(`${configMaps}?watch=1&resourceVersion=${created.body.metadata.resourceVersion}`)
  expect((await old.next())?.object.code).toBe(410)
  const recent = await third.watch(`${configMaps}?watch=1&resourceVersion=${revision}`)
  expect(await recent.names(1)).toEqual(['ADDED c'])
})

test('a torn last line is left out; a broken line in the middle is an error', async () => {
  const journal = journalPath()
  const store = new MemoryStore({ journal })
  const put = (name: string) =>
    store.create('configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } })
  put('a')
  put('b')
  store.close()
  appendFileSync(journal, '{"put":"configmaps","object":{"kind":"Conf')
  const again = new MemoryStore({ journal })
  expect(again.list('configmaps').map(({ metadata }) => metadata.name)).toEqual(['a', 'b'])
  expect(again.revision).toBe(2)
  again.close()
  const lines = readFileSync(journal, 'utf8').split('\n')
  writeFileSync(journal, [lines[0], '{broken', ...lines.slice(1)].join('\n'))
  expect(() => new MemoryStore({ journal })).toThrow(/line 2: not JSON/)
})

test('a start leaves one line per object', async () => {
  const journal = journalPath()
  const store = new MemoryStore({ journal })
  const key = { namespace: 'default', name: 'a' }
  store.create('configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata: key })
  for (let i = 0; i < 100; i += 1)
    store.update('configmaps', key, (current) => ({ ...current, data: { i: String(i) } }))
  store.close()
  const before = statSync(journal).size
  const again = new MemoryStore({ journal })
  again.close()
  expect(readFileSync(journal, 'utf8').trim().split('\n')).toHaveLength(2)
  expect(statSync(journal).size).toBeLessThan(before / 10)
  expect(again.get('configmaps', key)?.data).toEqual({ i: '99' })
})
