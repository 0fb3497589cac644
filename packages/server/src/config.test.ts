import { describe, expect, test } from 'vitest'
import {
  ConfigError,
  type ConfigInput,
  defaultDataDir,
  isLoopback,
  loadConfig,
  parseAddress,
  settings,
  showConfig,
} from './config.ts'

const load = (given: Partial<ConfigInput> = {}) =>
  loadConfig({
    flags: {},
    environment: {},
    readFile: () => {
      throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
    },
    workingDirectory: '/srv',
    checkout: '/src/podyard',
    isRoot: false,
    ...given,
  })

const problems = (given: Partial<ConfigInput>): readonly string[] => {
  try {
    load(given)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('order', () => {
  const file = { flags: { config: 'p.json' }, readFile: () => '{"log-level": "warn", "business": "from-file"}' }

  test('defaults stand alone', () => {
    const { config, sources, warnings } = load()
    expect(config).toMatchObject({
      listen: { host: '127.0.0.1', port: 8080 },
      dataDir: '/src/podyard/podyard-data',
      business: 'demo',
      language: 'en',
      simulatorNodes: 3,
      access: 'open',
    })
    expect(config).not.toHaveProperty('databaseUrl')
    expect(new Set(sources.values())).toEqual(new Set(['default']))
    expect(warnings).toEqual([])
  })

  test('file before defaults, environment before file, flags before environment', () => {
    expect(load(file).config.logLevel).toBe('warn')
    const environment = { PODYARD_LOG_LEVEL: 'error' }
    expect(load({ ...file, environment }).config.logLevel).toBe('error')
    const all = load({ ...file, environment, flags: { ...file.flags, 'log-level': 'debug' } })
    expect(all.config).toMatchObject({ logLevel: 'debug', business: 'from-file' })
    expect(all.sources.get('log-level')).toBe('flag')
    expect(all.sources.get('business')).toBe('file')
  })

  test('PODYARD_CONFIG names the file, --config before it', () => {
    const read: string[] = []
    const readFile = (path: string) => {
      read.push(path)
      return '{}'
    }
    load({ readFile, environment: { PODYARD_CONFIG: '/etc/podyard.json' } })
    load({ readFile, environment: { PODYARD_CONFIG: '/etc/podyard.json' }, flags: { config: 'mine.json' } })
    expect(read).toEqual(['/etc/podyard.json', '/srv/mine.json'])
  })

  test('an empty variable is not set', () => {
    expect(load({ environment: { PODYARD_DATABASE_URL: '', PODYARD_CONFIG: '' } }).config.access).toBe('open')
  })

  test('is frozen, all of it', () => {
    const { config } = load({ flags: { listen: '[::1]:0' } })
    expect(Object.isFrozen(config) && Object.isFrozen(config.listen)).toBe(true)
  })

  test('relative paths start from the working directory, in a file from its folder', () => {
    expect(load({ flags: { 'data-dir': 'd' } }).config.dataDir).toBe('/srv/d')
    const inFile = { flags: { config: '/etc/podyard/p.json' }, readFile: () => '{"data-dir": "d", "kubeconfig": "k"}' }
    expect(load(inFile).config).toMatchObject({ dataDir: '/etc/podyard/d', kubeconfig: '/etc/podyard/k' })
  })

  test('in-cluster takes the address that Kubernetes gives its pods', () => {
    const environment = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' }
    expect(load({ flags: { kubeconfig: 'in-cluster' }, environment }).config).toMatchObject({
      kubeconfig: 'in-cluster',
      inCluster: { host: '10.0.0.1', port: '443' },
    })
    expect(load({ environment }).config).not.toHaveProperty('inCluster')
    expect(problems({ flags: { kubeconfig: 'in-cluster' } })[0]).toContain(
      'KUBERNETES_SERVICE_HOST and _PORT are not set',
    )
  })
})

describe('errors name the setting, its source, what is wrong and what would be right', () => {
  test.each([
    [{ flags: { listen: '8080' } }, 'listen (flag --listen): "8080" is not right; expected host:port,'],
    [{ flags: { listen: ':99999' } }, 'listen (flag --listen): ":99999" is not right'],
    [
      { environment: { PODYARD_LOG_LEVEL: 'loud' } },
      'log-level (environment PODYARD_LOG_LEVEL): "loud" is not right; expected trace,',
    ],
    [
      { flags: { 'simulator-nodes': '0' } },
      'simulator-nodes (flag --simulator-nodes): 0 is not right; expected a whole number from 1',
    ],
    [{ flags: { 'simulator-nodes': 'three' } }, '"three" is not right'],
    [{ flags: { 'simulator-nodes': '3.5' } }, '"3.5" is not right'],
    [{ flags: { namespace: 'Not_One' } }, 'namespace (flag --namespace)'],
    [{ flags: { 'data-dir': '' } }, 'data-dir (flag --data-dir): "" is not right'],
    [{ flags: { config: 'p.json' } }, 'config (flag --config): cannot read /srv/p.json (ENOENT)'],
    [{ flags: { config: 'p' }, readFile: () => '[1]' }, '/srv/p must hold one JSON object'],
    [
      { flags: { config: 'p' }, readFile: () => '{"simulator-nodes": "3"}' },
      'simulator-nodes (/srv/p): "3" is not right',
    ],
    [
      { flags: { config: 'p' }, readFile: () => '{"dataDir": "x"}' },
      'dataDir (/srv/p): there is no such setting; did you mean data-dir?',
    ],
    [
      { flags: { config: 'p' }, readFile: () => '{"__proto__": {"listen": ":1"}}' },
      '__proto__ (/srv/p): there is no such setting',
    ],
  ])('%j', (given, expected) => {
    const found = problems(given as Partial<ConfigInput>)
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(expected)
    expect(found[0]).not.toContain('\n')
  })

  test('all problems at once', () => {
    expect(
      problems({ flags: { listen: 'x', language: 'fr' }, environment: { PODYARD_LEASE_SECONDS: '1' } }),
    ).toHaveLength(3)
  })

  test('an unknown variable is a warning', () => {
    expect(load({ environment: { PODYARD_DATADIR: '/x', PATH: '/bin' } }).warnings).toEqual([
      'PODYARD_DATADIR: there is no such setting, it is ignored; did you mean PODYARD_DATA_DIR?',
    ])
  })

  describe('the alarm webhook', () => {
    const secret = `whsec_${'a'.repeat(32)}`
    const url = 'https://hooks.example/path-that-is-a-key'
    test('takes its key from the setting or from a file', () => {
      expect(load({ flags: { 'alarm-webhook-url': url, 'alarm-webhook-secret': secret } }).config).toMatchObject({
        alarmWebhookUrl: url,
        alarmWebhookSecret: secret,
      })
      const fromFile = load({
        flags: { 'alarm-webhook-url': url, 'alarm-webhook-secret-file': 'key' },
        readFile: (path) => (path === '/srv/key' ? `${secret}\n` : ''),
      })
      expect(fromFile.config.alarmWebhookSecret).toBe(secret)
    })
    test.each([
      [{ 'alarm-webhook-url': url }, 'alarm-webhook-url (flag --alarm-webhook-url): there is nothing to sign with'],
      [
        { 'alarm-webhook-url': 'ftp://x/y', 'alarm-webhook-secret': secret },
        'the value given is not one; expected http',
      ],
      [{ 'alarm-webhook-secret': 'whsec_short' }, 'the value given is not one; expected whsec_'],
      [{ 'alarm-webhook-secret-file': 'key' }, 'cannot read /srv/key (ENOENT)'],
      [{ 'alarm-webhook-secret-file': 'key', 'alarm-webhook-secret': secret }, 'expected one of them'],
    ] as [Record<string, string>, string][])('%j', (flags, text) => {
      expect(problems({ flags }).join()).toContain(text)
    })
    test('shows neither its key nor its path', () => {
      const loaded = load({ flags: { 'alarm-webhook-url': url, 'alarm-webhook-secret': secret } })
      expect(showConfig(loaded).filter(({ name, value }) => name.startsWith('alarm') && value !== '')).toEqual([
        { name: 'alarm-webhook-url', value: 'https://hooks.example/********', source: 'flag' },
        { name: 'alarm-webhook-secret', value: '********', source: 'flag' },
      ])
    })
    test('a file without a key in it does not show what is in it', () => {
      const flags = { 'alarm-webhook-url': url, 'alarm-webhook-secret-file': 'key' }
      const said = problems({ flags, readFile: () => 'hunter2 is no key' }).join()
      expect(said).toContain('alarm-webhook-secret (/srv/key): the value given is not one')
      expect(said).not.toContain('hunter2')
    })
  })

  test('no secret stands in an error', () => {
    const secret = 'hunter2 with blanks'
    const found = [
      ...problems({ flags: { 'admin-token': secret, 'database-url': `mysql://u:${secret}@h/d` } }),
      ...problems({ flags: { config: 'p' }, readFile: () => `{"admin-token": "${secret}",, }` }),
    ]
    expect(found).toHaveLength(3)
    expect(found.join()).not.toContain('hunter2')
  })
})

describe('access', () => {
  test.each([
    [{}, 'open'],
    [{ listen: '[::1]:8080' }, 'open'],
    [{ listen: 'localhost:0' }, 'open'],
    [{ listen: ':8080' }, 'token'],
    [{ listen: '192.0.2.1:8080' }, 'token'],
    [{ 'simulator-listen': ':6443' }, 'token'],
    [{ kubeconfig: '/etc/kubeconfig' }, 'token'],
    [{ 'database-url': 'postgres://db/podyard' }, 'token'],
    [{ 'admin-token': 'long-enough' }, 'token'],
  ])('%j is %s', (flags, access) => {
    expect(load({ flags }).config.access).toBe(access)
  })
})

describe('addresses', () => {
  test.each([
    ['127.0.0.1:8080', { host: '127.0.0.1', port: 8080 }],
    [':0', { host: '0.0.0.0', port: 0 }],
    ['[::1]:80', { host: '::1', port: 80 }],
    ['podyard.example:65535', { host: 'podyard.example', port: 65535 }],
  ])('%s', (text, address) => expect(parseAddress(text)).toEqual(address))

  test.each([
    '',
    '80',
    '::1:80',
    '[::1]',
    'host',
    'host:',
    'a b:1',
    '127.0.0.300:1',
    '[zz]:1',
    '[1.2.3.4]:1',
    'http://h:1',
  ])('%j is none', (text) => expect(parseAddress(text)).toBeUndefined())

  test('loopback', () => {
    const loopback = ['127.8.9.1', 'LocalHost', '::1', '0:0:0:0:0:0:0:1', '0.0.0.0', '::', '127.example', '10.0.0.1']
    expect(loopback.filter((host) => isLoopback({ host, port: 1 }))).toEqual(loopback.slice(0, 4))
  })
})

describe('config show', () => {
  test('shows each setting with its source and masks what is secret', () => {
    const shown = showConfig(
      load({
        flags: { 'admin-token': 'very-secret-1' },
        environment: {
          PODYARD_DATABASE_URL: 'postgres://podyard:very-secret-2@db:5432/x?sslpassword=very-secret-3&a=b',
        },
      }),
    )
    expect(shown).toHaveLength(settings.length)
    expect(shown).toContainEqual({ name: 'admin-token', value: '********', source: 'flag' })
    expect(shown).toContainEqual({
      name: 'database-url',
      value: 'postgres://podyard:********@db:5432/x?sslpassword=********&a=b',
      source: 'environment',
    })
    expect(shown).toContainEqual({ name: 'listen', value: '127.0.0.1:8080', source: 'default' })
    expect(JSON.stringify(shown)).not.toContain('very-secret')
  })
})

test('two checkouts never share the data directory of root', () => {
  const [a, b] = [defaultDataDir('/a', true), defaultDataDir('/b', true)]
  expect(a).toMatch(/^\/var\/lib\/podyard\/[0-9a-f]{12}$/)
  expect(a).not.toBe(b)
})
