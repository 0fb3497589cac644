import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { podyard } from './support/podyard.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'podyard-commands-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const run = async (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
  const command = podyard(args, { env })
  const code = await command.ended
  return { code, stdout: command.stdout(), stderr: command.stderr() }
}

describe('config show', () => {
  const secrets = {
    PODYARD_ADMIN_TOKEN: 'very-secret-token',
    PODYARD_DATABASE_URL: 'postgres://podyard:very-secret-password@db.example/podyard',
  }

  test('prints each setting with its value and source, secrets masked', async () => {
    const file = join(dir, 'podyard.json')
    await writeFile(file, JSON.stringify({ business: 'from-file', 'log-level': 'warn' }))
    const shown = await run(['config', 'show', '--config', file, '--log-level', 'debug', '-o', 'json'], secrets)
    expect(shown.code).toBe(0)
    expect(JSON.parse(shown.stdout)).toMatchObject({
      business: { value: 'from-file', source: 'file' },
      'log-level': { value: 'debug', source: 'flag' },
      listen: { value: '127.0.0.1:8080', source: 'default' },
      'admin-token': { value: '********', source: 'environment' },
      'database-url': { value: 'postgres://podyard:********@db.example/podyard', source: 'environment' },
    })
    const table = await run(['config', 'show'], secrets)
    expect(table.stdout).toMatch(/^admin-token +\*{8} +environment$/m)
    expect(shown.stdout + shown.stderr + table.stdout + table.stderr).not.toContain('very-secret')
  })

  test('warns of variables that are no settings', async () => {
    const shown = await run(['config', 'show'], { PODYARD_LISTN: ':80' })
    expect(shown.code).toBe(0)
    expect(shown.stderr).toBe(
      'podyard: warning: PODYARD_LISTN: there is no such setting, it is ignored; did you mean PODYARD_LISTEN?\n',
    )
  })
})

describe('help', () => {
  test('names the commands, and each flag of serve with its variable and default', async () => {
    expect((await run(['--help'])).stdout).toMatch(/serve.*config.*simulate/s)
    const help = await run(['serve', '--help'])
    expect(help.code).toBe(0)
    expect(help.stdout).toMatch(/--listen <value>[\s\S]*PODYARD_LISTEN,\s+default\s+127\.0\.0\.1:8080/)
    expect(help.stdout).toContain('--data-dir')
  })

  test('the version is that of the package', async () => {
    expect(await run(['--version'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
  })
})

test('simulate runs a cluster alone, and its kubeconfig leads there', async () => {
  const path = join(dir, 'kubeconfig')
  const simulator = podyard(['simulate', '--nodes', '2', '--namespace', 'warm', '--kubeconfig', path])
  await new Promise<void>((resolve, reject) => {
    simulator.child.stderr?.on('data', () => simulator.stderr().includes('listening on') && resolve())
    void simulator.ended.then(() => reject(new Error(simulator.stderr())))
  })
  const config = JSON.parse(await readFile(path, 'utf8')) as {
    clusters: { cluster: { server: string } }[]
    contexts: { context: { namespace: string } }[]
  }
  expect(config.contexts[0]?.context.namespace).toBe('warm')
  const nodes = await fetch(`${config.clusters[0]?.cluster.server}/api/v1/nodes`)
  expect(((await nodes.json()) as { items: unknown[] }).items).toHaveLength(2)
  simulator.child.kill('SIGINT')
  simulator.child.kill('SIGTERM')
  expect(await simulator.ended).toBe(0)
  expect(simulator.stdout()).toBe('')
})

test.each([
  [['serve', '--lisen', ':1'], "error: unknown option '--lisen'"],
  [['serve', '--listen', '80', '--language', 'fr'], 'podyard: listen (flag --listen): "80" is not right'],
  [
    ['config', 'show', '--simulator-nodes', 'few'],
    'podyard: simulator-nodes (flag --simulator-nodes): "few" is not right',
  ],
  [
    ['serve', '--config', '/does/not/exist.json'],
    'podyard: config (flag --config): cannot read /does/not/exist.json (ENOENT)',
  ],
  [['simulate', '--nodes', 'few'], 'podyard: --nodes: "few" is not right; expected a whole number from 1'],
  [['simulate', '--listen', 'here'], 'podyard: --listen: "here" is not right'],
  [['fly'], "error: unknown command 'fly'"],
])('%j is refused in words, with exit code 2', async (args, words) => {
  const { code, stdout, stderr } = await run(args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toContain(words)
  expect(stderr).not.toMatch(/^\s+at /m)
})
