import { readFileSync } from 'node:fs'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createKubeClient, type KubeClient, KubeConfigError, loadKubeConfig } from '../src/kube/index.ts'
import {
  type Script,
  type ScriptedServer,
  sendJson,
  sendStatus,
  startScriptedServer,
} from './support/scripted-api-server.ts'
import { failure } from './support/scripted-kube-client.ts'

const fixture = (name: string) => readFileSync(join(import.meta.dirname, 'fixtures/tls', name), 'utf8')
const v1 = 'client.authentication.k8s.io/v1'

let directory: string
const clients: KubeClient[] = []
const servers: ScriptedServer[] = []

/**
 * A credential plugin: writes down what it was told and how often it ran, and prints the status of that run (the last
 * one again and again).
 */
const pluginText = `#!${process.execPath}
const { appendFileSync, readFileSync } = require('node:fs')
const { LOG: log, STATUSES: statuses, MODE: mode } = process.env
appendFileSync(log, JSON.stringify({ args: process.argv.slice(2), cwd: process.cwd(), info: JSON.parse(process.env.KUBERNETES_EXEC_INFO), ours: process.env.OURS }) + '\\n')
const run = readFileSync(log, 'utf8').trimEnd().split('\\n').length
if (mode === 'fail') { console.error('hunter2'); process.exit(7) }
if (mode === 'hang') { console.log('hunter2'); setInterval(() => {}, 1000) }
else {
  const all = JSON.parse(statuses)
  const { apiVersion } = JSON.parse(process.env.KUBERNETES_EXEC_INFO)
  console.error('hunter2')
  console.log(JSON.stringify({ kind: 'ExecCredential', apiVersion, status: all[Math.min(run, all.length) - 1] }))
}
`

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'podyard-exec-'))
  await writeFile(join(directory, 'plugin'), pluginText)
  await chmod(join(directory, 'plugin'), 0o755)
})

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close()
  for (const server of servers.splice(0)) await server.close()
})

afterAll(async () => {
  await rm(directory, { recursive: true })
})

let count = 0

/** A client from a kubeconfig whose user is the plugin, and what the plugin wrote down. */
async function connect(
  server: string,
  given: {
    readonly statuses?: readonly object[]
    readonly mode?: string
    readonly exec?: object
    readonly cluster?: object
    readonly timeoutMs?: number
  } = {},
) {
  count += 1
  const log = join(directory, `log-${count}`)
  const path = join(directory, 'config')
  const exec = {
    apiVersion: v1,
    command: './plugin',
    args: ['get-token', 'hunter2'],
    env: [
      { name: 'LOG', value: log },
      { name: 'STATUSES', value: JSON.stringify(given.statuses ?? []) },
      { name: 'MODE', value: given.mode ?? '' },
    ],
    interactiveMode: 'Never',
    ...given.exec,
  }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'here',
    contexts: [{ name: 'here', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster: { server, ...given.cluster } }],
    users: [{ name: 'u', user: { exec } }],
  }
  await writeFile(path, JSON.stringify(config))
  const loaded = await loadKubeConfig(path, { environment: { OURS: 'yes' } })
  const withTimeout =
    given.timeoutMs === undefined || loaded.exec === undefined
      ? loaded
      : { ...loaded, exec: { ...loaded.exec, timeoutMs: given.timeoutMs } }
  const client = createKubeClient(withTimeout, { random: () => 0 })
  clients.push(client)
  const runs = async () =>
    (await readFile(log, 'utf8').catch(() => ''))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as unknown)
  return { client, runs }
}

async function serve(script: Script, tls?: Parameters<typeof startScriptedServer>[1]): Promise<ScriptedServer> {
  const server = await startScriptedServer(script, tls)
  servers.push(server)
  return server
}

const echo: Script = (request, response) =>
  sendJson(response, 200, { client: request.clientName, authorization: request.headers.authorization })

describe('an exec plugin', () => {
  test('is told what client-go tells it, and its token is sent', async () => {
    const server = await serve(echo)
    const { client, runs } = await connect(server.url, { statuses: [{ token: 'first' }] })
    const answers = await Promise.all([client.raw('/a'), client.raw('/b'), client.raw('/c')])
    expect(answers).toEqual(Array(3).fill({ authorization: 'Bearer first' }))
    expect(await runs()).toEqual([
      {
        args: ['get-token', 'hunter2'],
        cwd: process.cwd(),
        info: { kind: 'ExecCredential', apiVersion: v1, spec: { interactive: false } },
        ours: 'yes',
      },
    ])
  })

  test('learns of the cluster where the kubeconfig says so, as v1beta1 too', async () => {
    const server = await serve(echo)
    const apiVersion = 'client.authentication.k8s.io/v1beta1'
    const { client, runs } = await connect(server.url, {
      statuses: [{ token: 'first' }],
      exec: { apiVersion, interactiveMode: undefined, provideClusterInfo: true },
      cluster: { extensions: [{ name: 'client.authentication.k8s.io/exec', extension: { audience: 'x' } }] },
    })
    await client.raw('/a')
    const spec = { cluster: { server: server.url, config: { audience: 'x' } }, interactive: false }
    expect(await runs()).toMatchObject([{ info: { kind: 'ExecCredential', apiVersion, spec } }])
  })

  test('is asked again after a 401, and the call goes on', async () => {
    const server = await serve((request, response) =>
      request.headers.authorization === 'Bearer first'
        ? sendStatus(response, 401, 'Unauthorized', 'Unauthorized')
        : sendJson(response, 200, { authorization: request.headers.authorization }),
    )
    const { client, runs } = await connect(server.url, { statuses: [{ token: 'first' }, { token: 'second' }] })
    expect(await client.raw('/a')).toEqual({ authorization: 'Bearer second' })
    expect(await client.raw('/b')).toEqual({ authorization: 'Bearer second' })
    expect(await runs()).toHaveLength(2)
  })

  test('is not started for every call that is refused', async () => {
    const server = await serve((_, response) => sendStatus(response, 401, 'Unauthorized', 'Unauthorized'))
    const { client, runs } = await connect(server.url, { statuses: [{ token: 'first' }] })
    for (let i = 0; i < 4; i += 1) expect(await failure(client.raw('/a'))).toMatchObject({ code: 401 })
    expect(await runs()).toHaveLength(2)
  })

  test('is asked again when what it gave has ended', async () => {
    const server = await serve(echo)
    const ended = { expirationTimestamp: '2001-01-01T00:00:00Z' }
    const { client, runs } = await connect(server.url, {
      statuses: [
        { token: 'first', ...ended },
        { token: 'second', expirationTimestamp: '2101-01-01T00:00:00Z' },
      ],
    })
    expect(await client.raw('/a')).toEqual({ authorization: 'Bearer first' })
    expect(await client.raw('/a')).toEqual({ authorization: 'Bearer second' })
    expect(await client.raw('/a')).toEqual({ authorization: 'Bearer second' })
    expect(await runs()).toHaveLength(2)
  })

  test('may give a client certificate, which new connections show from then on', async () => {
    const server = await serve(
      (request, response) =>
        request.clientName === undefined
          ? sendStatus(response, 401, 'Unauthorized', 'Unauthorized')
          : sendJson(response, 200, { client: request.clientName }),
      {
        cert: fixture('server.crt'),
        key: fixture('server.key'),
        ca: fixture('ca.crt'),
        requestCert: true,
        rejectUnauthorized: false,
      },
    )
    const certificate = { clientCertificateData: fixture('client.crt'), clientKeyData: fixture('client.key') }
    const { client } = await connect(server.url, {
      statuses: [{ token: 'first' }, certificate],
      cluster: { 'certificate-authority-data': Buffer.from(fixture('ca.crt')).toString('base64') },
    })
    expect(await client.raw('/a')).toEqual({ client: 'podyard-test' })
    expect(await client.raw('/a')).toEqual({ client: 'podyard-test' })
    const [refused, shown] = server.requests
    expect(shown?.connection).not.toBe(refused?.connection)
  })

  test('that is missing is named, with the hint in one line', async () => {
    const { client } = await connect('http://127.0.0.1:1', {
      exec: { command: 'no-such-plugin', installHint: 'Get it from\n  https://example.test\n' },
    })
    const error = await failure(client.raw('/a'))
    expect(error).toBeInstanceOf(KubeConfigError)
    expect((error as Error).message).toBe(
      'getting credentials: exec: executable no-such-plugin not found: Get it from https://example.test',
    )
  })

  test.each([
    ['fails', { mode: 'fail' }, 'exec: executable plugin failed with exit code 7; run it by hand to see why'],
    ['hangs', { mode: 'hang', timeoutMs: 300 }, 'exec: executable plugin did not answer within 300 ms'],
    ['says nothing of use', { statuses: [{}] }, "exec plugin plugin didn't return a token or cert/key pair"],
    ['gets an argument that cannot be passed', { exec: { args: ['hunter2\0'] } }, 'exec: executable plugin cannot be'],
  ])('that %s is an error without its words', async (_, given, expected) => {
    const { client } = await connect('http://127.0.0.1:1', given)
    const error = await failure(client.raw('/a'))
    expect(error).toBeInstanceOf(KubeConfigError)
    const { message } = error as Error
    expect(message).toContain(`getting credentials: ${expected}`)
    expect(message).not.toMatch(/hunter2|\n/)
  })

  test('that hangs holds up neither the call beyond its time nor the end', async () => {
    const { client } = await connect('http://127.0.0.1:1', { mode: 'hang' })
    const error = await failure(client.raw('/a', { timeoutMs: 200 }))
    expect((error as Error).message).toContain('no answer within 200 ms')
    await client.close()
  })
})
