import type { ServerResponse } from 'node:http'
import type { KubeObject } from '../../src/kube/index.ts'
import {
  type ScriptedRequest,
  type ScriptedServer,
  sendJson,
  sendStatus,
  startScriptedServer,
  startWatch,
} from './scripted-api-server.ts'

type LogEntry = {
  readonly version: number
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: KubeObject
}

export type ModelServer = ScriptedServer & {
  /** What a list would give now. */
  objects(): KubeObject[]
  /** Creates the pod, or changes it when it exists. */
  write(name: string): void
  remove(name: string): void
  /** Forgets all versions before this moment: watches and pages from them meet 410. */
  compact(): void
  /** Breaks every open watch, in the middle of a line when asked. */
  dropWatches(inLine: boolean): void
  /** Ends every open watch as the server does after its timeout. */
  endWatches(): void
  /** Tells every open watch the present version. */
  sendBookmarks(): void
  /** Refuses the next requests. */
  refuse(count: number): void
}

/** List (paged) and watch of pods in namespace `x` as an API server does them, small enough to be seen to be right. */
export async function startModelServer(): Promise<ModelServer> {
  const stored = new Map<string, KubeObject>()
  const log: LogEntry[] = []
  const watches = new Set<ServerResponse>()
  let version = 1
  let compacted = 0
  let refusals = 0

  function record(type: LogEntry['type'], object: KubeObject): void {
    log.push({ version, type, object })
    for (const watch of watches) watch.write(`${JSON.stringify({ type, object })}\n`)
  }

  function list({ query }: ScriptedRequest, response: ServerResponse) {
    // `continue` holds the version of the first page and where to go on.
    const [at = version, from = 0] = query.continue?.split(':').map(Number) ?? []
    if (at < compacted) return sendStatus(response, 410, 'Expired', 'The provided continue parameter is too old')
    const names = [...stateAt(at).entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object)
    const to = from + Number(query.limit ?? names.length)
    const next = to < names.length ? { continue: `${at}:${to}` } : {}
    sendJson(response, 200, { metadata: { resourceVersion: String(at), ...next }, items: names.slice(from, to) })
  }

  function stateAt(at: number): Map<string, KubeObject> {
    const state = new Map<string, KubeObject>()
    for (const { type, object } of log.filter((entry) => entry.version <= at)) {
      if (type === 'DELETED') state.delete(object.metadata?.name ?? '')
      else state.set(object.metadata?.name ?? '', object)
    }
    return state
  }

  function watch({ query }: ScriptedRequest, response: ServerResponse) {
    const from = Number(query.resourceVersion)
    if (from < compacted) return sendStatus(response, 410, 'Expired', 'too old resource version')
    const missed = log.filter((entry) => entry.version > from).map(({ type, object }) => ({ type, object }))
    startWatch(response, ...missed)
    watches.add(response)
    response.on('close', () => watches.delete(response))
  }

  const server = await startScriptedServer((request, response) => {
    if (refusals > 0) {
      refusals -= 1
      return sendStatus(response, 500, 'InternalError', 'refused')
    }
    if (request.query.watch) watch(request, response)
    else list(request, response)
  })
  return Object.assign(server, {
    objects: () => [...stored.values()],
    write(name: string) {
      version += 1
      const before = stored.get(name)
      const uid = before?.metadata?.uid ?? `uid ${version}`
      const object = { metadata: { namespace: 'x', name, uid, resourceVersion: String(version) } }
      stored.set(name, object)
      record(before === undefined ? 'ADDED' : 'MODIFIED', object)
    },
    remove(name: string) {
      const before = stored.get(name)
      if (before === undefined) return
      version += 1
      stored.delete(name)
      record('DELETED', { metadata: { ...before.metadata, resourceVersion: String(version) } })
    },
    compact() {
      compacted = version
    },
    dropWatches(inLine: boolean) {
      for (const response of watches) {
        watches.delete(response)
        if (inLine) response.write('{"type":"ADDED","object":{"metadata":{"na', () => response.socket?.destroy())
        else response.socket?.destroy()
      }
    },
    endWatches() {
      for (const response of watches) {
        watches.delete(response)
        response.end()
      }
    },
    sendBookmarks() {
      const bookmark = { type: 'BOOKMARK', object: { metadata: { resourceVersion: String(version) } } }
      for (const watch of watches) watch.write(`${JSON.stringify(bookmark)}\n`)
    },
    refuse(count: number) {
      refusals = count
    },
  })
}
