import type { IncomingMessage, ServerResponse } from 'node:http'
import { faultStatus } from '../faults.ts'
import { apiVersionOf } from '../store/kinds.ts'
import { badRequest, notFound } from '../store/refusals.ts'
import { StatusError } from '../store/status-error.ts'
import type { Key, Kind, StoredObject } from '../store/types.ts'
import { negotiate } from './accept.ts'
import { APPLY_TYPE, applyObject, parseConfig, parseForce } from './apply-object.ts'
import { mediaType, parseObject, readBody, requireJson } from './body.ts'
import type { Api } from './context.ts'
import { deleteObject, parseDeleteOptions, returnsDeleted } from './delete.ts'
import { badVersion, checkNotAhead, listPage } from './list.ts'
import type { Writer } from './managed/ownership.ts'
import { parsePatch, patchObject } from './patch-object.ts'
import { bindPod, evictPod } from './pod-subresources.ts'
import { invalidOptions, parseDryRun, parseListQuery, selects, truthy, versionNumber } from './query.ts'
import { methodNotAllowed, type Target } from './route.ts'
import { patchScale, readScale, replaceScale } from './scale.ts'
import { type Call, formOf, sendJson, sendList, sendObject } from './send.ts'
import { createdJson, deletedJson } from './status.ts'
import { checkBody, parseFieldValidation } from './strict-fields.ts'
import { createObject, replaceObject, timestamp } from './write.ts'

/** Answers a request for a served resource. */
export async function answerResource(
  api: Api,
  target: Target,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { kind, namespace, name } = target
  const query = url.searchParams
  const watch = (request.method === 'GET' && name === undefined && truthy(query.get('watch'))) || target.watch
  const fault = api.faults.take({
    method: request.method ?? 'GET',
    path: url.pathname,
    plural: kind.plural,
    namespace,
    name,
    watch,
  })
  if (fault !== undefined) {
    const status = faultStatus(fault)
    if (status === 'drop') {
      response.destroy()
      return
    }
    // A watch hears of its version in the stream; the real server answers it 200.
    if (!(watch && status.code === 410)) throw status
    const message = `too old resource version: ${query.get('resourceVersion') ?? '0'} (${api.store.revision})`
    api.hub.refuse(response, new StatusError(410, 'Expired', message))
    return
  }
  const form = negotiate(request.headers.accept)
  const call: Call = { api, target, query, request, response, form, warnings: [] }
  if (watch) answerWatch(call)
  else if (name === undefined) await answerCollection(call)
  else await answerObject(call, { ...(namespace === undefined ? {} : { namespace }), name })
}

async function answerCollection(call: Call): Promise<void> {
  const { api, target, query, request } = call
  const { kind, namespace } = target
  const everywhere = kind.namespaced && namespace === undefined
  if (request.method === 'GET') {
    const options = parseListQuery(kind, query)
    const page = listPage(api.store, kind, namespace, options)
    await sendList(call, page.items, {
      resourceVersion: String(page.revision),
      ...(page.continue === '' ? {} : { continue: page.continue }),
      ...(page.remaining === undefined ? {} : { remainingItemCount: page.remaining }),
    })
    return
  }
  if (everywhere) throw methodNotAllowed()
  if (request.method === 'POST') {
    const body = await readBody(request)
    requireJson(mediaType(request))
    const dryRun = parseDryRun(query.getAll('dryRun'), 'CreateOptions')
    const validation = parseFieldValidation(query, 'CreateOptions')
    const object = parseObject(kind, apiVersionOf(kind), kind.kind, body)
    call.warnings.push(...checkBody(kind, object, body, validation))
    sendObject(call, createObject(api, kind, namespace, object, { dryRun, writer: writerOf(call) }), 201)
    return
  }
  if (request.method === 'DELETE' && kind.plural !== 'namespaces') {
    const body = await readBody(request)
    const options = parseDeleteOptions(body, query)
    const selected = api.store
      .list(kind.plural, namespace)
      .filter((object) => selects(parseListQuery(kind, query), object))
    const resourceVersion = String(api.store.revision)
    for (const { metadata } of selected) deleteObject(api, kind, metadata, options)
    await sendList(call, selected, { resourceVersion })
    return
  }
  throw methodNotAllowed()
}

async function answerObject(call: Call, key: Key): Promise<void> {
  const { api, target, request, query } = call
  const { kind, subresource } = target
  if (subresource === 'scale') return answerScale(call, key)
  if (subresource === 'binding') return answerBinding(call, key)
  if (subresource === 'eviction') return answerEviction(call, key)
  switch (request.method) {
    case 'GET':
      return sendObject(call, readObject(api, kind, key, query))
    case 'PUT': {
      const body = await readBody(request)
      requireJson(mediaType(request))
      const dryRun = parseDryRun(query.getAll('dryRun'), 'UpdateOptions')
      const validation = parseFieldValidation(query, 'UpdateOptions')
      const object = parseObject(kind, apiVersionOf(kind), kind.kind, body)
      call.warnings.push(...checkBody(kind, object, body, validation))
      return sendObject(call, replaceObject(api, kind, key, object, { dryRun, subresource, writer: writerOf(call) }))
    }
    case 'PATCH': {
      const body = await readBody(request)
      if (mediaType(request) === APPLY_TYPE) return answerApply(call, key, body)
      const patcher = parsePatch(mediaType(request), body, kind.plural)
      const dryRun = patchOptions(query)
      const validation = parseFieldValidation(query, 'PatchOptions')
      const options = { dryRun, subresource, writer: writerOf(call), validation }
      const { object, warnings } = patchObject(api, kind, key, patcher, options)
      call.warnings.push(...warnings)
      return sendObject(call, object)
    }
    case 'DELETE': {
      if (subresource !== undefined) throw methodNotAllowed()
      const options = parseDeleteOptions(await readBody(request), query)
      const { gone, object } = deleteObject(api, kind, key, options)
      if (gone && !returnsDeleted(kind)) {
        return sendJson(call, deletedJson(kind, object.metadata.name, object.metadata.uid))
      }
      return sendObject(call, object)
    }
    default:
      throw methodNotAllowed()
  }
}

function answerApply(call: Call, key: Key, body: string): void {
  const { api, target, query } = call
  const force = parseForce(query)
  const dryRun = parseDryRun(query.getAll('dryRun'), 'PatchOptions')
  parseFieldValidation(query, 'PatchOptions')
  const config = parseConfig(target.kind, body)
  const subresource = target.subresource === 'status' ? 'status' : undefined
  const options = { dryRun, force, writer: writerOf(call), subresource } as const
  const { object, created } = applyObject(api, target.kind, key, config, options)
  sendObject(call, object, created ? 201 : 200)
}

async function answerScale(call: Call, key: Key): Promise<void> {
  const { api, target, request, query } = call
  const { kind } = target
  switch (request.method) {
    case 'GET':
      return sendObject(call, readScale(api, kind, key))
    case 'PUT': {
      const body = await readBody(request)
      requireJson(mediaType(request))
      const dryRun = parseDryRun(query.getAll('dryRun'), 'UpdateOptions')
      const scale = parseObject(kind, 'autoscaling/v1', 'Scale', body)
      return sendObject(call, replaceScale(api, kind, key, scale, { dryRun, writer: writerOf(call) }))
    }
    case 'PATCH': {
      const body = await readBody(request)
      const patcher = parsePatch(mediaType(request), body, 'scale')
      const dryRun = patchOptions(query)
      return sendObject(call, patchScale(api, kind, key, patcher, { dryRun, writer: writerOf(call) }))
    }
    default:
      throw methodNotAllowed()
  }
}

async function answerBinding(call: Call, key: Key): Promise<void> {
  const { api, target, request } = call
  if (request.method !== 'POST') throw methodNotAllowed()
  const body = await readBody(request)
  requireJson(mediaType(request))
  bindPod(api, target.kind, key, parseObject(target.kind, 'v1', 'Binding', body))
  sendJson(call, createdJson, 201)
}

/** POST to pods/x/eviction: a deletion that a disruption budget could refuse, were there any. */
async function answerEviction(call: Call, key: Key): Promise<void> {
  const { api, target, request, query } = call
  if (request.method !== 'POST') throw methodNotAllowed()
  const body = await readBody(request)
  requireJson(mediaType(request))
  const dryRun = parseDryRun(query.getAll('dryRun'), 'CreateOptions')
  evictPod(api, target.kind, key, parseObject(target.kind, 'policy/v1', 'Eviction', body), dryRun)
  sendJson(call, createdJson, 201)
}

/** Who writes: the field manager that the request names, else the client's program. */
function writerOf({ api, target, query, request }: Call): Writer {
  const named = query.get('fieldManager') ?? ''
  const agent = (request.headers['user-agent'] ?? '').split('/', 1)[0] ?? ''
  return {
    name: named === '' ? agent.slice(0, 128) : named,
    subresource: target.subresource === 'status' || target.subresource === 'scale' ? target.subresource : undefined,
    time: timestamp(api.now()),
  }
}

function answerWatch(call: Call): void {
  const { api, target, query, response } = call
  const { kind, namespace, name } = target
  const options = parseListQuery(kind, query)
  const version = options.resourceVersion
  const after =
    version === '' || version === '0' || options.sendInitialEvents === true ? undefined : versionNumber(version)
  if (after === undefined && version !== '' && versionNumber(version) === undefined) {
    throw new StatusError(500, '', badVersion(version))
  }
  const selectsName = name === undefined ? undefined : (object: StoredObject) => object.metadata.name === name
  const selective = options.labels.length > 0 || options.fields.length > 0 || selectsName !== undefined
  api.hub.watch(response, {
    kind,
    namespace,
    selects: (object) => (selectsName?.(object) ?? true) && selects(options, object),
    selective,
    after: options.sendInitialEvents === false && after === undefined ? api.store.revision : after,
    bookmarks: options.allowWatchBookmarks,
    bookmarkInitialEnd: options.sendInitialEvents === true && options.allowWatchBookmarks,
    // Without a limit of the client's own, the API server ends a watch after 30 to 60 minutes.
    timeoutMs: (options.timeoutSeconds || 1800 * (1 + api.random())) * 1000,
    form: formOf(call)(true),
  })
}

function readObject(api: Api, kind: Kind, key: Key, query: URLSearchParams): StoredObject {
  const version = query.get('resourceVersion') ?? ''
  if (version !== '') {
    const revision = versionNumber(version)
    if (revision === undefined) throw badRequest(`invalid resource version: ${badVersion(version)}`)
    checkNotAhead(api.store, revision)
  }
  const object = api.store.get(kind.plural, key)
  if (object === undefined) throw notFound(kind, key.name)
  return object
}

function patchOptions(query: URLSearchParams): boolean {
  if (query.has('force')) {
    throw invalidOptions(
      'PatchOptions',
      'force',
      'FieldValueForbidden',
      'Forbidden: may not be specified for non-apply patch',
    )
  }
  return parseDryRun(query.getAll('dryRun'), 'PatchOptions')
}
