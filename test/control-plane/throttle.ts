import { request } from 'node:https'
import { type Api, must, until } from './api.ts'
import { throttleName, throttleObjects } from './objects.ts'

/** Puts the user on a priority level of their own with so many shares, or on the usual one; waits until it is in force. */
export async function throttle(api: Api, asUser: Api, user: string, shares: number | undefined): Promise<void> {
  const [level, schema] = throttleObjects(user, shares ?? 0)
  const levelPath = `${level.path}/${throttleName}`
  type Level = { metadata: { uid: string } }
  const before = await api.request('GET', levelPath)
  const beforeUid = before.status === 200 ? (before.json as Level).metadata.uid : undefined
  await api.request('DELETE', `${schema.path}/${throttleName}`)
  await api.request('DELETE', levelPath)
  let uid: string | undefined
  if (shares !== undefined) {
    uid = (await must<Level>(api, 'POST', level.path, level.object)).metadata.uid
    await must(api, 'POST', schema.path, schema.object)
  }
  try {
    await until(
      `API priority and fairness of ${user} to be ${shares === undefined ? 'as usual' : 'turned down'}`,
      async () => {
        // The API server says at each answer, refusals included, which level the request was on.
        const at = (await asUser.request('GET', '/version')).headers['x-kubernetes-pf-prioritylevel-uid']
        return uid === undefined ? at !== undefined && at !== beforeUid : at === uid
      },
      { limitMs: 120_000 },
    )
  } finally {
    asUser.close()
  }
}

/**
 * Holds a seat by a request whose body never ends; the function returned ends it. Resolves when the API server asks for the
 * body, which it does once the request has its seat.
 */
export async function occupySeat(at: At): Promise<() => void> {
  let leave: (() => void) | undefined
  // Whoever had it before may have its answer a moment before the seat is free.
  const take = async () => {
    leave = await trySeat(at)
    return leave !== undefined
  }
  await until('a free seat', take, { limitMs: 60_000 })
  return () => leave?.()
}

type At = { readonly url: string; readonly caData: string; readonly token: string }

/** Undefined when there is none: 429. */
function trySeat(at: At): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    // Every authenticated user may ask this one.
    const outgoing = request(new URL('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', at.url), {
      method: 'POST',
      ca: Buffer.from(at.caData, 'base64'),
      agent: false,
      headers: {
        authorization: `Bearer ${at.token}`,
        'content-type': 'application/json',
        'content-length': 2,
        expect: '100-continue',
      },
    })
    outgoing.on('error', reject)
    outgoing.on('response', (response) => {
      response.resume()
      if (response.statusCode === 429) resolve(undefined)
      else reject(new Error(`a request that should have had a seat was answered with ${response.statusCode}`))
    })
    outgoing.on('continue', () => resolve(() => void outgoing.destroy()))
    outgoing.flushHeaders()
  })
}
