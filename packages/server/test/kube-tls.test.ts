import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  createKubeClient,
  type KubeClient,
  type KubeConfig,
  KubeConfigError,
  loadInClusterConfig,
  loadKubeConfig,
} from '../src/kube/index.ts'
import { type ScriptedServer, sendJson, startScriptedServer } from './support/scripted-api-server.ts'

const fixtures = join(import.meta.dirname, 'fixtures/tls')
const fixture = (name: string) => readFileSync(join(fixtures, name), 'utf8')
const base64 = (name: string) => Buffer.from(fixture(name)).toString('base64')

let directory: string
const clients: KubeClient[] = []
const servers: ScriptedServer[] = []

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'podyard-kubeconfig-'))
})

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close()
  for (const server of servers.splice(0)) await server.close()
})

afterAll(async () => {
  await rm(directory, { recursive: true })
})

/** A server with the named certificate that tells who asked. */
async function serve(certificate = 'server'): Promise<ScriptedServer> {
  const server = await startScriptedServer(
    (request, response) =>
      sendJson(response, 200, { client: request.clientName, authorization: request.headers.authorization }),
    {
      cert: fixture(`${certificate}.crt`),
      key: fixture(`${certificate}.key`),
      ca: fixture('ca.crt'),
      requestCert: true,
      rejectUnauthorized: false,
    },
  )
  servers.push(server)
  return server
}

async function whoAmI(config: KubeConfig): Promise<unknown> {
  const client = createKubeClient(config, { random: () => 0 })
  clients.push(client)
  return await client.raw('/whoami')
}

/** Writes a kubeconfig with one context and gives its path. */
async function kubeconfig(members: {
  cluster: object
  user?: object | undefined
  namespace?: string
}): Promise<string> {
  const path = join(directory, 'config')
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'here',
    contexts: [{ name: 'here', context: { cluster: 'c', user: 'u', namespace: members.namespace } }],
    clusters: [{ name: 'c', cluster: members.cluster }],
    users: [{ name: 'u', user: members.user ?? {} }],
  }
  // JSON is YAML.
  await writeFile(path, JSON.stringify(config))
  return path
}

describe('certificates', () => {
  test('a server that the given authority signed is trusted, in PEM and in base64', async () => {
    const { url: server } = await serve()
    for (const caData of [fixture('ca.crt'), base64('ca.crt')]) {
      expect(await whoAmI({ server, namespace: 'default', caData })).toEqual({})
    }
  })

  test('any other is not, and the message says so', async () => {
    const { url: server, requests } = await serve()
    await expect(whoAmI({ server, namespace: 'default' })).rejects.toThrow(
      'its certificate is not signed by the trusted authority',
    )
    expect(requests).toHaveLength(0)
    expect(await whoAmI({ server, namespace: 'default', insecureSkipTlsVerify: true })).toEqual({})
  })

  test("a certificate for another name needs that name's word", async () => {
    const { url: server } = await serve('other')
    const config = { server, namespace: 'default', caData: fixture('ca.crt') }
    await expect(whoAmI(config)).rejects.toThrow('is not in the cert')
    expect(await whoAmI({ ...config, tlsServerName: 'kubernetes.test' })).toEqual({})
  })

  test('a client certificate says who we are', async () => {
    const { url: server } = await serve()
    const config = { server, namespace: 'default', caData: fixture('ca.crt') }
    const credentials = { certificateData: fixture('client.crt'), keyData: fixture('client.key') }
    expect(await whoAmI({ ...config, ...credentials })).toEqual({ client: 'podyard-test' })
  })

  test('a broken one is refused before anything is sent, without its text', () => {
    const create = () => createKubeClient({ server: 'https://127.0.0.1:1', namespace: 'd', keyData: 'c2VjcmV0' })
    expect(create).toThrow(KubeConfigError)
    expect(create).toThrow(/^the certificates or the key for the cluster cannot be used: \w+$/)
  })
})

describe('loadKubeConfig', () => {
  test('data members, namespace, token', async () => {
    const { url } = await serve()
    const path = await kubeconfig({
      cluster: { server: `${url}/`, 'certificate-authority-data': base64('ca.crt') },
      user: {
        'client-certificate-data': base64('client.crt'),
        'client-key-data': base64('client.key'),
        token: 'secret',
      },
      namespace: 'pools',
    })
    const config = await loadKubeConfig(path)
    expect(config.namespace).toBe('pools')
    expect(await whoAmI(config)).toEqual({ client: 'podyard-test', authorization: 'Bearer secret' })
  })

  test('files beside the kubeconfig, tokenFile, tls-server-name', async () => {
    const { url } = await serve('other')
    for (const name of ['ca.crt', 'client.crt', 'client.key']) await writeFile(join(directory, name), fixture(name))
    await writeFile(join(directory, 'token'), 'from-file\n')
    const path = await kubeconfig({
      cluster: { server: url, 'certificate-authority': 'ca.crt', 'tls-server-name': 'kubernetes.test' },
      user: { 'client-certificate': 'client.crt', 'client-key': 'client.key', tokenFile: 'token' },
    })
    const config = await loadKubeConfig(path)
    expect(config).toMatchObject({ namespace: 'default', tokenFile: join(directory, 'token') })
    expect(await whoAmI(config)).toEqual({ client: 'podyard-test', authorization: 'Bearer from-file' })
  })

  test('insecure-skip-tls-verify, and another context than the current one', async () => {
    const { url } = await serve()
    const path = await kubeconfig({ cluster: { server: url, 'insecure-skip-tls-verify': true } })
    expect(await whoAmI(await loadKubeConfig(path, { context: 'here' }))).toEqual({})
    await expect(loadKubeConfig(path, { context: 'there' })).rejects.toThrow(`has no context "there"`)
  })

  test.each([
    ['an auth provider', {}, { 'auth-provider': { name: 'oidc' } }],
    ['basic authentication', {}, { username: 'admin', password: 'hunter2' }],
    ['impersonation', {}, { as: 'somebody', token: 'secret' }],
    ['a proxy', { 'proxy-url': 'http://user:hunter2@proxy' }, {}],
  ])('refuses %s in one line', async (what, cluster, user) => {
    const path = await kubeconfig({ cluster: { server: 'https://127.0.0.1:1', ...cluster }, user })
    const error: unknown = await loadKubeConfig(path).catch((each: unknown) => each)
    expect(error).toBeInstanceOf(KubeConfigError)
    const { message } = error as Error
    expect(message).toContain(what)
    expect(message).toContain('not supported')
    expect(message).not.toContain('\n')
    expect(message).not.toContain('hunter2')
  })

  test.each([
    ['broken YAML', 'users:\n- name: u\n  user: {token: hunter2\nx', 'is not valid'],
    ['no kubeconfig', '- hunter2', 'has no current-context'],
    ['nothing', '', 'is not valid'],
    ['a cluster without a server', 'clusters: [{name: c, cluster: {}}]', 'clusters[0].cluster.server is missing'],
    ['no current context', 'clusters: []', 'has no current-context'],
  ])('tells what is wrong with a file that holds %s, without quoting it', async (_, text, expected) => {
    const path = join(directory, 'broken')
    await writeFile(path, text)
    const error: unknown = await loadKubeConfig(path).catch((each: unknown) => each)
    expect(error).toBeInstanceOf(KubeConfigError)
    expect((error as Error).message).toContain(expected)
    expect((error as Error).message).not.toContain('hunter2')
    expect((error as Error).message).not.toContain('\n')
  })

  test('a file that is not there', async () => {
    await expect(loadKubeConfig('/nowhere/config')).rejects.toThrow(
      'the kubeconfig /nowhere/config cannot be read: ENOENT',
    )
  })
})

describe('loadInClusterConfig', () => {
  test('reads the mounted service account', async () => {
    const server = await serve()
    for (const [name, text] of [
      ['ca.crt', fixture('ca.crt')],
      ['token', 'mounted\n'],
      ['namespace', 'podyard\n'],
    ] as const) {
      await writeFile(join(directory, name), text)
    }
    const config = await loadInClusterConfig({ host: '127.0.0.1', port: String(server.port), directory })
    expect(config.namespace).toBe('podyard')
    expect(await whoAmI(config)).toEqual({ authorization: 'Bearer mounted' })
    expect((await loadInClusterConfig({ host: 'fd00::1', port: '443', directory })).server).toBe(
      'https://[fd00::1]:443',
    )
  })

  test('says what is missing', async () => {
    await expect(loadInClusterConfig({ host: 'h', port: '443', directory: '/nowhere' })).rejects.toThrow(
      "the service account's token /nowhere/token cannot be read: ENOENT",
    )
  })
})

test.each(['127.0.0.1:6443', 'ftp://host', 'https://user:hunter2@host'])('the address %s is refused', (server) => {
  const create = () => createKubeClient({ server, namespace: 'default' })
  expect(create).toThrow(KubeConfigError)
  expect(create).not.toThrow('hunter2')
})
